"""vx-gnomad: databases made, merged, verified, damaged; look-ups without one; filters, single variants, counts; python3 alone.

Usage: gnomad_db.py BINDIR.  Truth is the model of tests/gnomad_model.py."""
import gzip, json, os, random, re, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import gnomad_model as gm
from gnomad_model import Model, Run, differing, info_of, ok, part, query, read, skip, vcf, write

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../build/release/bin"))
ONLY = sys.argv[2:]
TMP = tempfile.mkdtemp(prefix="vx-test.")
os.chdir(TMP)
rng = random.Random(6)


def gn(*args, data=None, status=0, env=None):
    return Run(BIN, "vx-gnomad", "-q", *args, data=data, status=status, env=env)


def cmd(name, *args, data=None, status=0, env=None):
    return Run(BIN, "vx-gnomad", name, *([] if name == "info" else ["-q"]), *args, data=data, status=status, env=env)


def metrics(tool, *args, data=None):
    tool(*args, "--json", "stats.json", data=data)
    return json.load(open("stats.json"))["metrics"]


def index(text, db, *args, status=0, name="s.vcf"):
    write(name, text)
    return cmd("index", *args, "-o", db, name, status=status)


def sim(kind, *args):
    return Run(BIN, "vx-simulate", "-q", kind, *args).out.decode()


def split(text):
    l = text.split("\n")
    return [x for x in l if x[:1] == "#"], [x for x in l if x and x[0] != "#"]


def join(head, body):
    return "\n".join(head + body) + "\n"


DECL = '##INFO=<ID=AC,Number=A,Type=Integer,Description="Count">\n##INFO=<ID=AN,Number=1,Type=Integer,Description="Number">\n' \
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
write("ref.fa", sim("reference", "--contigs", "chr1:60000,chr2:30000,chr3:20000", "--seed", "4"))
SITES = write("sites.vcf", sim("gnomad", "-f", "ref.fa", "--groups", "3"))
TEXT = read(SITES)
HEAD, BODY = split(TEXT)
FIELDS = [k for k in gm.declared(TEXT)]
ALL = ["--fields", ",".join(FIELDS)]
MODEL = Model(TEXT, fields=FIELDS)
for s in ("sparse", "dense", "multi", "respelt", "absent"):
    sim("queries", "-f", "ref.fa", "--groups", "3", "--set", s, "-o", s + ".vcf")
cmd("index", *ALL, SITES, "-o", "all.vxg")


def annotated(db, *args):
    return [gn("-d", f"gnomad={db}", "--no-version", *args, s + ".vcf").out for s in ("sparse", "multi", "dense")]


def building():
    want = annotated("all.vxg")
    ok(not differing(MODEL, gn("-d", "all.vxg", "dense.vcf").body), "the model agrees")
    bodies = {c: [l for l in BODY if l.startswith(c + "\t")] for c in ("chr1", "chr2", "chr3")}
    for c, b in bodies.items():
        write(c + ".vcf", join(HEAD, b))
    cmd("index", *ALL, "chr1.vcf", "chr2.vcf", "chr3.vcf", "-o", "three.vxg")
    ok(annotated("three.vxg") == want, "a file for each chromosome")
    cmd("index", *ALL, "chr3.vcf", "chr1.vcf", "chr2.vcf", "-o", "order.vxg")
    ok(annotated("order.vxg") == want, "in another order")
    mixed = BODY[:]
    rng.shuffle(mixed)
    for what, b in (("rows in no order", mixed), ("contigs interleaved", sorted(BODY, key=lambda l: (int(l.split("\t")[1]), l)))):
        write("mixed.vcf", join(HEAD, b))
        for m in ("40M", "2G"):
            r = cmd("index", *ALL, "-M", m, "mixed.vcf", "-o", "mixed.vxg", status=None)
            if r.status == 137:
                skip(f"{what}, -M {m}", "needs more: " + r.err.strip()[:80])
                continue
            ok(r.status == 0 and annotated("mixed.vxg") == want, f"{what}, -M {m}", r.err)
            ok(cmd("verify", "mixed.vxg", SITES).status == 0, f"{what}, -M {m}: verify")
    a = [open(f"t{t}.vxg", "rb").read() for t in (1, 2, 8) if cmd("index", *ALL, "-@", t, SITES, "-o", f"t{t}.vxg").status == 0]
    ok(len(a) == 3 and len(set(a)) == 1, "the same bytes with 1, 2 and 8 threads")
    write("sites.vcf.gz", bgz(TEXT))
    cmd("index", *ALL, "sites.vcf.gz", "-o", "gz.vxg")
    ok(annotated("gz.vxg") == want, "from .vcf.gz")
    cmd("index", *ALL, "-", "-o", "pipe.vxg", data=TEXT)
    ok(annotated("pipe.vxg") == want, "from standard input")
    for c in bodies:
        cmd("index", *ALL, c + ".vcf", "-o", c + ".vxg")
    cmd("merge", "chr2.vxg", "chr1.vxg", "chr3.vxg", "-o", "merged.vxg")
    ok(annotated("merged.vxg") == want, "merge of databases of a chromosome each")
    ok(cmd("verify", "merged.vxg", SITES).status == 0, "verify of what was merged")
    # two halves of each chromosome, overlapping by rows that are equal
    write("h1.vcf", join(HEAD, BODY[::2]))
    write("h2.vcf", join(HEAD, BODY[1::2] + BODY[:100:2]))
    for h in ("h1", "h2"):
        cmd("index", *ALL, h + ".vcf", "-o", h + ".vxg")
    cmd("merge", "h1.vxg", "h2.vxg", "-o", "halves.vxg")
    ok(annotated("halves.vxg") == want, "merge of databases whose rows alternate")
    cmd("index", "--fields", "AC", "chr2.vcf", "-o", "ac.vxg")
    r = cmd("merge", "chr1.vxg", "ac.vxg", "-o", "bad.vxg", status=None)
    ok(r.status in (1, 2) and not os.path.exists("bad.vxg"), "merge of databases of other fields is refused", (r.status, r.err))
    write("v2.vcf", sim("gnomad", "-f", "ref.fa", "--release", "v2", "--groups", "8"))
    r = cmd("index", "v2.vcf", SITES, "-o", "bad.vxg", status=None)
    ok(r.status in (1, 2) and "v2" in r.err and not os.path.exists("bad.vxg"), "two releases never go into one database", (r.status, r.err))
    r = cmd("index", "nowhere.vcf", "-o", "bad.vxg", status=1)
    ok("nowhere.vcf" in r.err and not os.path.exists("bad.vxg"), "no such sites", r.err)
    cmd("index", *ALL, "-f", "ref.fa", SITES, "-o", "f.vxg")
    ok(annotated("f.vxg") == want, "with a reference, where all is normal already")
    # sites that are not: the records of queries that are respelt, with values
    rows = []
    for l in split(read("respelt.vcf"))[1]:
        f = l.split("\t")
        rows.append((f[0], f[1], ".", f[3], f[4], ".", "PASS", f"AC={len(rows)};AN=9999999"))
    S = {}
    for rec in read("ref.fa").split(">")[1:]:
        name, _, s = rec.partition("\n")
        S[name.split()[0]] = s.replace("\n", "")
    odd = vcf(rows, DECL)
    for opts, seq in (([], None), (["-f", "ref.fa"], S)):
        index(odd, "odd.vxg", *opts)
        m = Model(odd, fields=["AF", "AC", "AN"], seq=seq)
        for q in ("respelt", "dense"):
            bad = differing(m, gn("-d", "odd.vxg", *opts, q + ".vcf").body)
            ok(not bad, f"sites that are not normal {' '.join(opts)}: {q}", bad)
        s = metrics(lambda *a, data=None: cmd("index", *a), *opts, "s.vcf", "-o", "odd.vxg")
        ok(s.get("trimmed", 0) + s.get("moved", 0) == m.trimmed, "and are counted", (s, m.trimmed))


def bgz(text):
    import struct, zlib
    b, out = text.encode(), b""
    for i in range(0, len(b), 0xff00):
        z = zlib.compressobj(6, zlib.DEFLATED, -15)
        c = z.compress(b[i:i + 0xff00]) + z.flush()
        out += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(c) + 25) + c + struct.pack("<II", zlib.crc32(b[i:i + 0xff00]), len(b[i:i + 0xff00]))
    return out + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def duplicates():
    rows = [("1", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10"), ("1", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10"), ("1", 10, ".", "AG", "CG", ".", "PASS", "AC=1;AN=10"),
            ("1", 20, ".", "A", "C", ".", "PASS", "AC=1;AN=10"), ("1", 20, ".", "A", "C", ".", "PASS", "AC=2;AN=10"), ("1", 30, ".", "A", "C", ".", "PASS", "AC=3;AN=10"),
            ("1", 30, ".", "A", "C", ".", "AC0", "AC=3;AN=10"), ("1", 40, ".", "A", "C,C", ".", "PASS", "AC=7,8;AN=10"), ("1", 50, ".", "A", "T", ".", "PASS", "AC=7;AN=10"),
            ("1", 49, ".", "GA", "GT", ".", "PASS", "AC=8;AN=10")]
    text = vcf(rows, DECL)
    r = index(text, "dup.vxg")
    m = Model(text, fields=["AF", "AC", "AN"])
    q = query("1:10 A C", "1:20 A C", "1:30 A C", "1:40 A C", "1:50 A T")
    bad = differing(m, gn("-d", "dup.vxg", data=q).body)
    ok(not bad, "the first of different values is kept", bad)
    s = metrics(lambda *a, data=None: cmd("index", *a), "s.vcf", "-o", "dup.vxg")
    ok((s.get("merged"), s.get("differing")) == (m.same, m.differ), f"{m.same} merged, {m.differ} differing are counted", s)
    r = Run(BIN, "vx-gnomad", "index", "s.vcf", "-o", "dup.vxg")
    ok(sum(f"1:{p}" in r.err for p in (20, 30, 40, 50)) == 3, "three are named", r.err)
    r = index(text, "dup2.vxg", "--dup", "error", status=1)
    ok("1:20" in r.err and not os.path.exists("dup2.vxg"), "--dup error stops", r.err)
    text = vcf([("1", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10;nhomalt_grpmax=2147483647")], DECL + '##INFO=<ID=nhomalt_grpmax,Number=A,Type=Integer,Description="x">\n')
    index(text, "over.vxg", "--fields", "AC,nhomalt_grpmax")
    t = info_of(gn("-d", "over.vxg", data=query("1:10 A C")).body[0])
    ok(t == {"gnomad_AC": "1", "gnomad_FILTER": "PASS", "gnomad_status": "FOUND"}, "an overflowed nhomalt is missing", t)
    s = metrics(lambda *a, data=None: cmd("index", *a), "--fields", "AC,nhomalt_grpmax", "s.vcf", "-o", "over.vxg")
    ok(s.get("overflowed") == 1, "and counted", s)


def naming():
    """Fields' names, and contigs by the thousand."""
    decl = DECL + '##INFO=<ID=status,Number=1,Type=String,Description="x">\n##INFO=<ID=L,Number=.,Type=Integer,Description="x">\n'
    text = vcf([("1", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10;status=s;L=1,2")], decl)
    for bad in (["--fields", "status"], ["--field", "FILTER=AC"], ["--field", "query=AC"], ["--field", "a b=AC"], ["--field", "a;b=AC"]):
        r = index(text, "bad.vxg", *bad, status=2)
        ok(r.status == 2 and "--field" in r.err and not os.path.exists("bad.vxg"), "a name that no tag can have is refused while building: " + " ".join(bad), r.err)
    index(text, "named.vxg", "--fields", "L,AC", "--field", "said=status")
    t = info_of(gn("-d", "named.vxg", data=query("1:10 A C")).body[0])
    ok(t.get("gnomad_said") == "s" and t.get("gnomad_status") == "FOUND", "and may have another", t)
    ok(gn("-d", "named.vxg", "--max-af", "L=1", data=query("1:10 A C"), status=2).status == 2, "--max-af of a list: exit 2")
    rows = [(f"ctg{i}", 10, ".", "A", "C", ".", "PASS", f"AC={i + 1};AN=9000") for i in range(3000)]
    text = vcf(rows, DECL)
    half = text.replace("#CHROM", "".join(f"##contig=<ID=ctg{i},length={i + 100}>\n" for i in range(1, 4000, 2)) + "#CHROM")
    index(text, "bare.vxg")
    index(half, "half.vxg")
    for db in ("bare.vxg", "half.vxg"):
        body = gn("-d", db, data=text).body
        ok(len(body) == 3000 and all(f";gnomad_AC={i + 1};" in l for i, l in enumerate(body)), f"{db}: 3000 contigs", body[:1])
        ok(cmd("merge", db, db, "-o", "both.vxg").status == 0 and gn("-d", "both.vxg", data=text).body == body, f"{db}: and merged")


def verifying():
    r = cmd("info", "all.vxg")
    t = r.out.decode()
    ok(r.status == 0 and "sites.vcf" in t and "gnomAD v4" in t and "chr2" in t and str(len(BODY)) in t and all(f in t for f in FIELDS), "info tells sources, release, contigs, rows, fields", t[:300])
    ok(TMP not in t, "but no path")
    ok(cmd("verify", "all.vxg", SITES).status == 0, "verify: intact")
    b = open("all.vxg", "rb").read()
    at = sorted(set(list(range(0, 64, 7)) + list(range(len(b) - 64, len(b), 7)) + [rng.randrange(len(b)) for _ in range(80)]))
    missed = []
    for i in at:
        c = bytearray(b)
        c[i] ^= 1 << rng.randrange(8)
        write("flip.vxg", bytes(c))
        r = cmd("verify", "flip.vxg", SITES, status=None)
        if r.status not in (1, 3) or not r.err:
            missed.append((i, r.status, r.err[:60]))
    ok(not missed, f"verify finds each of {len(at)} changed bytes", (len(b), missed[:6]))
    for what, change in (("a value", lambda l: re.sub(r";AF=([0-9.e-]+)", lambda m: ";AF=" + ("0.5" if m[1] != "0.5" else "0.25"), l, count=1)),
                         ("a count", lambda l: re.sub(r"^(.*)AC=(\d+)", lambda m: f"{m[1]}AC={int(m[2]) + 1}", l, count=1)),
                         ("a filter", lambda l: l.replace("\tPASS\t", "\tRF\t", 1) if "\tPASS\t" in l else l.replace("\tAC0", "\tRF;AC0", 1).replace("\tAS_VQSR", "\tRF", 1)),
                         ("an allele", lambda l: "\t".join(l.split("\t")[:4] + [l.split("\t")[4] + "TG"] + l.split("\t")[5:])),
                         ("a position", lambda l: "\t".join([l.split("\t")[0], str(int(l.split("\t")[1]) + 1)] + l.split("\t")[2:]))):
        bad = 0
        for i in (0, len(BODY) // 2, len(BODY) - 1):
            l = BODY[:]
            l[i] = change(l[i])
            if l[i] != BODY[i]:
                write("changed.vcf", join(HEAD, l))
                bad += cmd("verify", "all.vxg", "changed.vcf", status=None).status != 1
        ok(bad == 0, f"verify finds {what} that is another in the source", bad)
    for what, l in (("a row more", BODY + BODY[-1:]), ("a row less", BODY[:100] + BODY[101:]), ("no last row", BODY[:-1])):
        if what == "a row more":
            l = BODY[:200] + ["chr1\t" + str(int(BODY[199].split("\t")[1])) + "\t.\tA\tACCCCCCCT\t.\tPASS\tAC=1;AN=2"] + BODY[200:]
        write("changed.vcf", join(HEAD, l))
        r = cmd("verify", "all.vxg", "changed.vcf", status=None)
        ok(r.status == 1 and r.err, f"verify finds {what} in the source", (r.status, r.err))
    # cut, still being written, of another version, or none
    for k in (0, 1, 7, 63, 64, 100, 4096, len(b) // 2, len(b) - 64, len(b) - 1):
        write("cut.vxg", b[:k])
        r = gn("-d", "cut.vxg", "sparse.vcf", status=None)
        ok(r.status == 3 if k >= 64 else r.status in (1, 3), f"a database cut at {k} of {len(b)} is refused: exit 3", (r.status, r.err))
        ok("cut.vxg" in r.err and not r.body, "with the reason, and nothing comes out", r.err)
    for what, f in (("text", "sites.vcf"), ("a stream of zeros", write("zero.vxg", bytes(100000))), ("a gzip file", write("g.vxg", gzip.compress(b)))):
        for r in (gn("-d", f, "sparse.vcf", status=None), cmd("info", f, status=None), cmd("verify", f, SITES, status=None), cmd("merge", f, "all.vxg", "-o", "m.vxg", status=None)):
            ok(r.status in (1, 3) and r.err and not os.path.exists("m.vxg"), f"{what} is no database", (r.status, r.err))
    ok(gn("-d", "none.vxg", "sparse.vcf", status=1).status == 1, "no such database: exit 1")
    c = bytearray(b)
    for i in range(4, 16):
        # wherever the version stands in the first bytes: raising it must not go unnoticed
        d = bytearray(c)
        d[i] = (d[i] + 1) % 256
        write("newer.vxg", bytes(d))
        r = gn("-d", "newer.vxg", "sparse.vcf", status=None)
        if r.status not in (1, 3) or r.body:
            ok(False, f"byte {i} of the magic and version is read", (r.status, r.err))
    # damage is said, nothing wrong comes out
    want = {l.split("\t")[2]: l for l in gn("-d", "all.vxg", "dense.vcf").body}
    wrong = quiet = 0
    for _ in range(40):
        d = bytearray(b)
        for _ in range(rng.choice((1, 1, 30))):
            d[rng.randrange(len(d))] ^= 1 << rng.randrange(8)
        write("flip.vxg", bytes(d))
        r = gn("-d", "flip.vxg", "dense.vcf", status=None)
        quiet += r.status not in (0, 1, 3)
        wrong += r.status == 0 and any(l != want[l.split("\t")[2]] for l in r.body)
    ok(quiet == 0, "a damaged database: an error, or what is not touched", quiet)
    ok(wrong == 0, "and never a wrong value", wrong)


def builds():
    h37, h38 = "##contig=<ID=1,length=249250621>\n##contig=<ID=2,length=243199373>\n", "##contig=<ID=1,length=248956422>\n##contig=<ID=2,length=242193529>\n"
    index(vcf([("1", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10")], h38 + DECL), "b38.vxg")
    r = gn("-d", "b38.vxg", data=query("1:10 A C", head=h37), status=1)
    ok(r.status == 1 and "37" in r.err and "38" in r.err and not r.body, "another build is refused", (r.status, r.err))
    r = gn("-d", "b38.vxg", "--force-build", data=query("1:10 A C", head=h37))
    ok(info_of(r.body[0])["gnomad_status"] in ("FOUND", "NO_CONTIG"), "--force-build", r.body)
    t = info_of(gn("-d", "b38.vxg", data=query("1:10 A C", head=h38)).body[0])
    ok(t["gnomad_status"] == "FOUND", "the same build passes", t)
    t = info_of(gn("-d", "b38.vxg", data=query("chr1:10 A C", head=h38.replace("ID=", "ID=chr"))).body[0])
    ok(t["gnomad_status"] == "FOUND", "by alias too", t)
    t = info_of(gn("-d", "b38.vxg", data=query("chr1:10 A C", head="##contig=<ID=chr1,length=1000>\n")).body[0])
    ok(t["gnomad_status"] == "NO_CONTIG", "an alias of another length is another contig", t)
    index(vcf([("chr2", 10, ".", "A", "C", ".", "PASS", "AC=1;AN=10")], "##contig=<ID=chr1>\n##contig=<ID=chr2>\n" + DECL), "two.vxg")
    st = [info_of(l)["gnomad_status"] for l in gn("-d", "two.vxg", data=query("chr1:10 A C", "chr2:10 A C", "2:11 A C", "chrUn:1 A C")).body]
    ok(st == ["NO_CONTIG", "FOUND", "ABSENT", "NO_CONTIG"], "a contig that the header lists without a row has no data", st)


def counting():
    for s in ("sparse", "multi", "absent"):
        m = metrics(gn, "-d", "all.vxg", s + ".vcf", "-o", "c.out")
        flat = json.dumps(m)
        want = {}
        for l in split(read(s + ".vcf"))[1]:
            for x in MODEL.tags(l)["gnomad_status"].split(","):
                want[x] = want.get(x, 0) + 1
        get = lambda k: next((v for kk, v in walk(m) if kk.lower() in (k.lower(), "gnomad_" + k.lower())), 0)
        have = {k: get(k) for k in ("FOUND", "FOUND_FILTERED", "SITE_ONLY", "ABSENT", "NO_CONTIG", "UNSUPPORTED") if get(k)}
        ok(have == want, f"{s}: statuses are counted", (have, want, flat[:200]))
        ok(sum(have.values()) == get("alts") == sum(want.values()), f"{s}: they sum to the ALTs", get("alts"))
    m = metrics(gn, "-d", "all.vxg", "-d", "b=all.vxg", "sparse.vcf", "-o", "c.out")
    want = {}
    for l in split(read("sparse.vcf"))[1]:
        c, n = want.setdefault(l.split("\t")[0], [0, 0]), MODEL.tags(l)["gnomad_status"].split(",")
        c[0] += len(n)
        c[1] += sum(x.startswith("FOUND") for x in n)
    for d in ("gnomad", "b"):
        have = {k: [v["alts"], v["found"]] for k, v in m[d]["contigs"].items()}
        ok(have == want and m[d]["release"].startswith("gnomAD v4"), f"{d}: found and total of each contig, and the release", (have, want))
    r = Run(BIN, "vx-gnomad", "-d", "all.vxg", "sparse.vcf", "-o", "c.out")
    ok(str(sum(v[0] for v in want.values())) in r.err and str(sum(v[1] for v in want.values())) in r.err, "the closing line says how many were found", r.err)


def walk(m, path=""):
    for k, v in m.items():
        if isinstance(v, dict):
            yield from walk(v, k)
        else:
            yield k, v


def single():
    b = [l.split("\t") for l in BODY[500:503]]
    args = [f"{f[0]}:{f[1]}:{f[3]}:{f[4]}" for f in b] + [f"{b[0][0]}-{b[0][1]}-{b[0][3].lower()}-{b[0][4]}", "chr9:5:A:C", "1:5:A:<DEL>", f"{b[0][0][3:]}:{b[0][1]}:{b[0][3]}:{b[0][4]}"]
    r = gn("-d", "all.vxg", *args)
    lines = [l.split("\t") for l in r.out.decode().split("\n") if l]
    ok(r.status == 0 and len(lines) == len(args) + 1 and lines[0][:5] == ["CHROM", "POS", "REF", "ALT", "status"], "single variants: a TSV with a header, exit 0", r.out[:200])
    for l, f in zip(lines[1:], b):
        t = MODEL.tags(f[:7] + ["."])
        got = dict(zip(lines[0], l))
        bad = {k: (got.get(k, got.get("gnomad_" + k)), t.get("gnomad_" + k, ".")) for k in FIELDS + ["FILTER", "status"] if got.get(k, got.get("gnomad_" + k)) != t.get("gnomad_" + k, ".")}
        ok(not bad, "single: values of " + ":".join(l[:4]), bad)
    ok([l[4] for l in lines[4:]] == [lines[1][4], "NO_CONTIG", "UNSUPPORTED", lines[1][4]], "single: statuses", [l[:5] for l in lines[4:]])
    r = gn("-d", "all.vxg", "chr1:12:A", status=None)
    ok(r.status in (1, 2), "what is neither a file nor a variant is an error", (r.status, r.err))
    shutil.copy("sparse.vcf", "chr1:7:A:C")
    ok(gn("-d", "all.vxg", "chr1:7:A:C").body, "a file of such a name is a file")


def filtering():
    q = read("multi.vcf")
    body = split(q)[1]

    def passing(f):
        keep = []
        for l in body:
            t = MODEL.tags(l)
            n = len(l.split("\t")[4].split(","))
            get = lambda k: (t.get("gnomad_" + k) or ",".join(["."] * n)).split(",")
            if any(f(*[None if x == "." else x for x in v]) for v in zip(get("AF"), get("AC"), get("FILTER"), get("status"))):
                keep.append(l.split("\t")[2])
        return keep
    ids = lambda r: [l.split("\t")[2] for l in r.body]
    rare = passing(lambda af, ac, fi, st: af is None or float(af) <= 1e-4)
    r = gn("-d", "all.vxg", "--max-af", "AF=1e-4", "multi.vcf")
    ok(ids(r) == rare and 0 < len(rare) < len(body), "--max-af: any ALT passes, missing passes", (len(ids(r)), len(rare)))
    r = gn("-d", "all.vxg", "--max-af", "gnomad_AF=0.0001", "multi.vcf")
    ok(ids(r) == rare, "--max-af by the tag's name", len(ids(r)))
    both = passing(lambda af, ac, fi, st: (af is None or float(af) <= 1e-4) and (ac is None or int(ac) <= 5))
    r = gn("-d", "all.vxg", "--max-af", "AF=1e-4", "--max-af", "AC=5", "multi.vcf")
    ok(ids(r) == both, "--max-af twice: both of one ALT", (len(ids(r)), len(both)))
    r = gn("-d", "all.vxg", "-i", "gnomad_AC < 3 && gnomad_FILTER == 'PASS'", "multi.vcf")
    want = passing(lambda af, ac, fi, st: (ac is None or int(ac) < 3) and (fi is None or fi == "PASS"))
    ok(ids(r) == want and 0 < len(want) < len(body), "-i", (len(ids(r)), len(want)))
    r = gn("-d", "all.vxg", "--max-af", "AF=1e-4", "--mark", "COMMON", "multi.vcf")
    marked = {l.split("\t")[2]: l.split("\t")[6] for l in r.body}
    ok(len(r.body) == len(body) and all((marked[l.split("\t")[2]] == "COMMON") == (l.split("\t")[2] not in rare) for l in body), "--mark sets FILTER instead",
       list(marked.items())[:4])
    ok(any(h.startswith("##FILTER=<ID=COMMON,") for h in r.head), "and declares it")
    f = vcf([("chr1", BODY[0].split("\t")[1], ".", BODY[0].split("\t")[3], BODY[0].split("\t")[4], ".", x, ".") for x in (".", "PASS", "q10", "q10;s5")])
    r = gn("-d", "all.vxg", "--max-af", "AC=-1", "--mark", "M", data=f)
    ok([l.split("\t")[6] for l in r.body] == ["M", "M", "q10;M", "q10;s5;M"], "other filters stay", [l.split("\t")[6] for l in r.body])
    for bad in (["--max-af", "AF"], ["--max-af", "nope=1"], ["--max-af", "AF=x"], ["--max-af", "AF=nan"], ["-i", "gnomad_AF <"], ["-i", "nope > 1"]):
        ok(gn("-d", "all.vxg", *bad, "multi.vcf", status=2).status == 2, "exit 2: " + " ".join(bad))
    gn("-d", "all.vxg", "--max-af", "AF=1e-4", "multi.vcf", "-o", "f.bcf", status=None)
    if os.path.exists("f.bcf") and shutil.which("bcftools"):
        ok(len([l for l in Run("", "bcftools", "view", "-H", "f.bcf").out.split(b"\n") if l]) == len(rare), "the same to BCF")
    r = gn("-d", "all.vxg", "--explain", "respelt.vcf")
    t = [info_of(l) for l in r.body]
    extra = sorted({k for x in t for k in x if k.startswith("gnomad_") and k[7:] not in FIELDS + ["FILTER", "status"]})
    ok(extra, "--explain adds tags", t[:1])
    ok(not differing(MODEL, [re.sub(";gnomad_(%s)=[^;\t]*" % "|".join(x[7:] for x in extra or ["x"]), "", l) for l in r.body]), "and changes nothing else")


def without():
    """--sites: the same bytes as a database, from an indexed file."""
    Run(BIN, "vx-leftalign", "-q", "-f", "ref.fa", "--no-version", "-W", "-o", "idx.vcf.gz", SITES)
    ok(os.path.exists("idx.vcf.gz.csi"), "an indexed file of sites")
    cmd("index", SITES, "-o", "def.vxg")
    for s in ("sparse", "dense", "multi", "absent"):
        a, b = (gn(*o, "--no-version", s + ".vcf") for o in (["-d", "def.vxg"], ["--sites", "idx.vcf.gz"]))
        same = a.body == b.body and len(a.body) > 0
        ok(same, f"--sites, {s}: the records that a database gives", [x for x in zip(a.body, b.body) if x[0] != x[1]][:1] or b.err)
        ok(a.out == b.out, f"--sites, {s}: the same bytes", [x for x in zip(a.head, b.head) if x[0] != x[1]][:2])
        a, b = (gn(*o, "--no-version", "--explain", s + ".vcf") for o in (["-d", "def.vxg"], ["--sites", "idx.vcf.gz"]))
        ok(a.out == b.out, f"--sites, {s}: the same explanations", [x for x in zip(a.body, b.body) if x[0] != x[1]][:1])
    a, b = (gn(*o, "--no-version", "-f", "ref.fa", "respelt.vcf") for o in (["-d", "def.vxg"], ["--sites", "idx.vcf.gz"]))
    ok(a.body == b.body, "--sites, respelt, left-aligned", [x for x in zip(a.body, b.body) if x[0] != x[1]][:1])
    r = gn("--sites", "idx.vcf.gz", BODY[3].split("\t")[0] + ":" + ":".join(BODY[3].split("\t")[i] for i in (1, 3, 4)))
    ok(b"FOUND" in r.out, "--sites, a single variant", r.out[-100:])
    r = gn("--sites", SITES, "sparse.vcf", status=None)
    ok(r.status == 1 and "index" in r.err, "--sites of a file without index: exit 1", (r.status, r.err))


def ends():
    r = gn("-d", "all.vxg", data=b"", status=3)
    ok(r.status == 3, "empty input: exit 3", r.err)
    cut = read("sparse.vcf")[:5000]
    ok(gn("-d", "all.vxg", data=cut if cut[-1] != "\n" else cut[:-1], status=3).status == 3, "input cut in a line: exit 3")
    r = cmd("index", "-o", "e.vxg", "-", data=b"", status=None)
    ok(r.status == 3 and not os.path.exists("e.vxg"), "no sites at all: exit 3", (r.status, r.err))
    r = index(join(HEAD, []), "e.vxg", status=None)
    if ok(r.status == 0, "a header without sites makes an empty database", r.err):
        t = [info_of(l)["gnomad_status"] for l in gn("-d", "e.vxg", "sparse.vcf").body]
        ok(t and set(t) == {"NO_CONTIG"}, "in which nothing is found", t[:3])
        ok(cmd("verify", "e.vxg", "s.vcf").status == 0, "and which is verified")
    r = index(join(HEAD, BODY[:3])[:-1], "e2.vxg", status=None)
    ok(r.status == 3 and not os.path.exists("e2.vxg"), "sites cut in a line: exit 3", (r.status, r.err))
    r = index(join(HEAD, BODY[:3] + ["chr1\t7"]), "e3.vxg", status=None)
    ok(r.status == 1 and not os.path.exists("e3.vxg"), "a line that is no record: exit 1", (r.status, r.err))
    r = gn("-d", "all.vxg", "-O", "q", "sparse.vcf", status=2)
    ok(r.status == 2, "-O q: exit 2")
    r = cmd("index", SITES, status=None)
    ok(r.status == 2, "index without -o: exit 2", (r.status, r.err))
    same = write("same.vcf", read("sparse.vcf"))
    want = gn("-d", "all.vxg", "sparse.vcf").out
    gn("-d", "all.vxg", "-o", same, same)
    ok(read(same).encode() == want, "the output may be the input")


def shrinking():
    """A database, or a reference, that is mapped and is cut by somebody else."""
    text = read("dense.vcf").encode()
    for name, args in (("shrink.vxg", ["-d", "shrink.vxg"]), ("shrink.fa", ["-d", "all.vxg", "-f", "shrink.fa"])):
        shutil.copy("all.vxg" if name.endswith("vxg") else "ref.fa", name)
        p = subprocess.Popen([os.path.join(BIN, "vx-gnomad"), "-q", *args, "-o", "shrink.vcf"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(text[:text.index(b"\n#CHROM")])
        p.stdin.flush()
        time.sleep(1)
        os.truncate(name, 4096)
        err = p.communicate(text[text.index(b"\n#CHROM"):], timeout=60)[1].decode()
        ok(p.returncode == 1 and f"{name}: has become shorter" in err and not os.path.exists("shrink.vcf"),
           f"{name} cut while it is read: exit 1, and no output", (p.returncode, err))


parts = [building, duplicates, naming, verifying, builds, counting, single, filtering, without, ends, shrinking]
for f in parts:
    if not ONLY or f.__name__ in ONLY:
        part(f)
shutil.rmtree(TMP, ignore_errors=True)
gm.done()
