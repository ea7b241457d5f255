"""vx-gnomad: golden cases, shapes of alleles, encodings, formats, order, refusals; python3 alone.

Usage: gnomad.py BINDIR.  What needs bcftools is skipped when there is none.  Truth is an independent model
(tests/gnomad_model.py): a dict of minimal alleles."""
import gzip, json, os, random, re, shutil, struct, subprocess, sys, tempfile, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import gnomad_model as gm
from gnomad_model import COLS, Model, Run, differing, info_of, ok, part, query, read, skip, vcf, write

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../build/release/bin"))
ONLY = sys.argv[2:]
TMP = tempfile.mkdtemp(prefix="vx-test.")
os.chdir(TMP)
rng = random.Random(5)


def gn(*args, data=None, status=0, env=None):
    return Run(BIN, "vx-gnomad", "-q", *args, data=data, status=status, env=env)


def cmd(name, *args, data=None, status=0, env=None):
    return Run(BIN, "vx-gnomad", name, *([] if name == "info" else ["-q"]), *args, data=data, status=status, env=env)


def index(text, db, *args, status=0, name="sites.vcf"):
    write(name, text)
    return cmd("index", *args, "-o", db, name, status=status)


def stats(*args, data=None, tool=gn):
    tool(*args, "--json", "stats.json", data=data)
    return json.load(open("stats.json"))["metrics"]


def tags(r, i=0):
    return {k: v for k, v in info_of(r.body[i]).items()} if len(r.body) > i else {}


def sim(kind, *args):
    return Run(BIN, "vx-simulate", "-q", kind, *args).out


DECL = '##INFO=<ID=AC,Number=A,Type=Integer,Description="Count">\n##INFO=<ID=AN,Number=1,Type=Integer,Description="Number">\n' \
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
GOLD = vcf([("2", 100, ".", "A", "C,G", ".", "PASS", "AF=0.01,0.07"), ("2", 200, ".", "A", "G", ".", "AC0;RF", "AC=0;AN=0;AF=."),
            ("2", 300, ".", "AT", "A", ".", "PASS", "AF=0.2"), ("2", 305, ".", "T", "A", ".", "PASS", "AF=0.1"),
            ("MT", 150, ".", "C", "T", ".", "PASS", "AF=0.5"), ("chr3", 100, ".", "A", "G", ".", "PASS", "AF=0.5")], DECL)


def golden():
    index(GOLD, "gold.vxg")
    a = lambda *q: gn("-d", "gold.vxg", data=query(*q))
    for q, st, af, i in [("2:100 A C", "FOUND", "0.01", "G01"), ("2:100 A G", "FOUND", "0.07", "G01"), ("2:100 A G,T", "FOUND,SITE_ONLY", "0.07,.", "G02"),
                         ("chr2:300 AT A", "FOUND", "0.2", "G04"), ("2:300 at a", "FOUND", "0.2", "G04"), ("Chr2:300 AT A", "FOUND", "0.2", "G04"),
                         ("2:299 GAT GA", "FOUND", "0.2", "G05"), ("2:305 T G", "SITE_ONLY", None, "G06"), ("2:301 T A", "ABSENT", None, "G07"),
                         ("MT:150 C T", "FOUND", "0.5", "G08"), ("M:150 C T", "FOUND", "0.5", "G08"), ("chrM:150 C T", "FOUND", "0.5", "G08"),
                         ("3:100 A G", "FOUND", "0.5", "G09"), ("7:1 A G", "NO_CONTIG", None, "G10"), ("2:300 AT <DEL>", "UNSUPPORTED", None, "G11"),
                         ("2:300 AT *", "UNSUPPORTED", None, "G11")]:
        t = tags(a(q))
        ok((t.get("gnomad_status"), t.get("gnomad_AF")) == (st, af), f"{i} {q}", t)
    t = tags(a("2:200 A G"))
    ok(t == {"gnomad_AC": "0", "gnomad_AN": "0", "gnomad_FILTER": "AC0&RF", "gnomad_status": "FOUND_FILTERED"}, "G03 filtered, AF missing, AN 0", t)
    r = a("2:100 A C", "2:100 A C", "2:100 A C", "2:150 A C")
    ok([info_of(l)["gnomad_status"] for l in r.body] == ["FOUND"] * 3 + ["ABSENT"], "G12 as many records out as in", r.body)
    r = gn("-d", "gold.vxg", data=vcf([]))
    ok(r.status == 0 and not r.body and r.head[-1] + "\n" == COLS, "G13 header only", r.out)
    write("gold.bgz", bgzf(GOLD.encode()))
    ok(index_status("gold.bgz") == 0, "G14 a .bgz is read")
    write("cut.bgz", bgzf(GOLD.encode())[:-30])
    r = cmd("index", "-o", "cut.vxg", "cut.bgz", status=3)
    ok(r.status == 3 and "cut.bgz" in r.err and not os.path.exists("cut.vxg"), "G14 cut sites: exit 3, no database", (r.status, r.err))
    r = gn("--sites", "gold.bgz", data=query("2:100 A C"), status=1)
    ok(r.status == 1 and "index" in r.err, "G14 --sites without its index: exit 1", (r.status, r.err))
    q = query(*[f"2:{90 + i} A {'CG'[i % 2]}" for i in range(101)])
    r = [gn("-d", "gold.vxg", "-@", t, data=q).out for t in (1, 2, 8)]
    ok(len(set(r)) == 1 and r[0].count(b"gnomad_status") == 102, "G15 101 variants with 1, 2 and 8 threads: the same bytes")
    m = Model(GOLD)
    bad = differing(m, gn("-d", "gold.vxg", data=q).body)
    ok(not bad, "and the model agrees", bad)


def index_status(*files):
    return cmd("index", "-o", "x.vxg", *files, status=None).status


def bgzf(b, size=0xff00):
    out = b""
    for i in range(0, len(b), size):
        z = zlib.compressobj(6, zlib.DEFLATED, -15)
        c = z.compress(b[i:i + size]) + z.flush()
        out += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(c) + 25) + c + struct.pack("<II", zlib.crc32(b[i:i + size]), len(b[i:i + size]))
    return out + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bases(n):
    return "".join(rng.choice("ACGT") for _ in range(n))


def shaped(n_ref, n_alt):
    """Minimal alleles of these lengths."""
    while True:
        r, a = bases(n_ref), bases(n_alt)
        if (n_ref == 1 or n_alt == 1) and n_ref != n_alt:
            a = r[0] + a[1:]
        if r != a and gm.trim(5, r, a) == (5, r, a):
            return r, a


def shapes():
    """Every shape in the rows on both sides of a block's border, in either tier."""
    all_shapes = [(r, a) for r in range(1, 5) for a in range(1, 6)] + [(60, 1), (1, 60), (60, 60), (61, 3), (10000, 1), (1, 10000), (2, 9)]
    for tier, af in (("rare", "0.0001"), ("common", "0.25")):
        rows, pos, n = [], 10, 0
        for r, a in all_shapes:
            while n % 512 < 510:
                rows.append(("1", pos, ".", "A", "C", ".", "PASS", f"AC={n};AN=100000;AF={af}"))
                pos, n = pos + 1 + n % 3, n + 1
            two = sorted({shaped(r, a) for _ in range(8)} if r + a > 2 else {("A", "C"), ("A", "G"), ("A", "T"), ("C", "G")},
                         key=lambda x: (len(x[0]), len(x[1]), x))[:4]
            for k, (ref, alt) in enumerate(two):
                rows.append(("1", pos, ".", ref, alt, ".", "PASS", f"AC={n};AN=100000;AF={af}"))
                n += 1
            pos += 40
        rows.append(("1", pos, ".", "A", "C", ".", "PASS", f"AC={n};AN=100000;AF={af}"))
        text = vcf(rows, DECL)
        m = Model(text)
        index(text, "shape.vxg")
        lines = [l for l in text.split("\n") if l and l[0] != "#"]
        stripped = [re.sub("AC=.*", ".", l) for l in lines]
        q = vcf([l.split("\t") for l in stripped])
        bad = differing(m, gn("-d", "shape.vxg", data=q).body, stripped)
        ok(not bad and len(m.row) == len(rows), f"{len(all_shapes)} shapes of alleles at the borders of blocks come back, {tier} ones", bad)
        order = list(range(len(lines)))
        rng.shuffle(order)
        out = gn("-d", "shape.vxg", data=vcf([stripped[i].split("\t") for i in order])).body
        ok(not differing(m, out) and len(out) == len(lines), f"in any order, {tier} ones", differing(m, out))
        low = [l.split("\t") for l in stripped]
        for f in low:
            f[3], f[4] = f[3].lower(), "".join(rng.choice((c, c.lower())) for c in f[4])
        out = gn("-d", "shape.vxg", data=vcf(low)).body
        ok(not differing(m, out, ["\t".join(map(str, f)) for f in low]), f"in lower case, which stays, {tier} ones", differing(m, out))
        near = []
        for l in stripped:
            f = l.split("\t")
            if len(f[3]) + len(f[4]) > 2:
                for ref, alt in ((f[3], f[4] + "A"), (f[3] + "A", f[4]), (f[3], f[4][:-1] + "ACGT"["CGTA".index(f[4][-1])]), (f[3], f[4][:-1] or "T")):
                    near.append(f[:3] + [ref, alt] + f[5:])
        out = gn("-d", "shape.vxg", data=vcf(near)).body
        ok(not differing(m, out), f"alleles that are nearly there are not found, {tier} ones", differing(m, out))
        r = cmd("verify", "shape.vxg", "sites.vcf")
        ok(r.status == 0, f"verify agrees, {tier} ones", r.err)


def odd_alleles():
    rows = [("1", 10, ".", "A", "T", ".", "PASS", "AF=0.1"), ("1", 10, ".", "T", "TTT", ".", "PASS", "AF=0.2"), ("1", 10, ".", "T", "TTTTT", ".", "PASS", "AF=0.3"),
            ("1", 10, ".", "T", "TTTTTTTTT", ".", "PASS", "AF=0.4"), ("1", 20, ".", "A", "N", ".", "PASS", "AF=0.5"), ("1", 21, ".", "A", "*", ".", "PASS", "AF=0.5"),
            ("1", 22, ".", "A", "<DEL>", ".", "PASS", "AF=0.5"), ("1", 23, ".", "A", ".", ".", "PASS", "."), ("1", 24, ".", "a", "t", ".", "PASS", "AF=0.6"),
            ("1", 25, ".", "R", "T", ".", "PASS", "AF=0.7"), ("1", 26, ".", "A", "*,C", ".", "PASS", "AF=0.7,0.8"), ("1", 27, ".", "A", "A[1:30[", ".", "PASS", "AF=0.7"),
            ("1", 30, ".", "CAT", "CGT", ".", "PASS", "AF=0.9")]
    r = index(vcf(rows, DECL), "odd.vxg")
    for q, st in [("1:10 T <*>", "UNSUPPORTED"), ("1:10 T <DEL>", "UNSUPPORTED"), ("1:10 T <NON_REF>", "UNSUPPORTED"), ("1:10 A N", "UNSUPPORTED"),
                  ("1:10 N T", "UNSUPPORTED"), ("1:10 a t", "FOUND"), ("1:10 A *,T", "UNSUPPORTED,FOUND"), ("1:10 A T,*", "FOUND,UNSUPPORTED"),
                  ("1:20 A T", "ABSENT"), ("1:20 A N", "UNSUPPORTED"), ("1:21 A *", "UNSUPPORTED"), ("1:24 A T", "FOUND"), ("1:25 A T", "ABSENT"),
                  ("1:26 A C", "FOUND"), ("1:31 A G", "FOUND"), ("1:30 CA CG", "FOUND"), ("1:10 T T[1:5[", "UNSUPPORTED"), ("1:10 T .T", "UNSUPPORTED"),
                  ("1:10 T TT\xc3", "UNSUPPORTED"), ("1:10 T =", "UNSUPPORTED"), ("1:10 AT AG", "SITE_ONLY" if False else "ABSENT")]:
        t = tags(gn("-d", "odd.vxg", data=query(q).encode("latin-1")))
        ok(t.get("gnomad_status") == st, f"{q.encode('ascii', 'backslashreplace').decode()}: {st}", t)
    gn("-d", "odd.vxg", data=query("1:10 A .", "1:10 A T"))
    s = json.load(open("stats.json"))["metrics"] if stats("-o", "odd.vxg", "sites.vcf", tool=lambda *a, data=None: cmd("index", *a)) else {}
    ok(s.get("unsupported", s.get("not_sequence")) == 6, "rows that are no sequence are counted, not dropped in silence", s)
    ok(s.get("trimmed") == 1, "rows that are not minimal are trimmed and counted", s)
    m = Model(GOLD)
    write("sorted.vcf", query("2:100 A C", "2:300 AT A", "MT:150 C T", "2:200 A G"))
    ok(not differing(m, gn("-d", "gold.vxg", "sorted.vcf").body), "contigs may come again")


# --- encodings ---------------------------------------------------------------------
RICH = DECL + '##INFO=<ID=L,Number=.,Type=String,Description="list, of \\"some\\" kind">\n##INFO=<ID=R,Number=R,Type=Integer,Description="of each allele">\n' \
    '##INFO=<ID=RF,Number=R,Type=Float,Description="of each allele">\n##INFO=<ID=two,Number=2,Type=Float,Description="a pair">\n' \
    '##INFO=<ID=flag,Number=0,Type=Flag,Description="flag">\n##INFO=<ID=name,Number=A,Type=String,Description="text">\n' \
    '##INFO=<ID=where,Number=1,Type=String,Description="of the site">\n##INFO=<ID=x,Number=A,Type=Float,Description="number">\n' \
    '##INFO=<ID=nhomalt,Number=A,Type=Integer,Description="homozygotes">\n##INFO=<ID=c,Number=1,Type=Character,Description="letter">\n'
RICH_FIELDS = ["AC", "AN", "AF", "L", "R", "RF", "two", "flag", "name", "where", "x", "nhomalt", "c"]
RICH_ROWS = [("1", 10, ".", "A", "C,G", ".", "PASS", "AC=1,2;AN=100;AF=0.01,0.02;L=a,b|c,d;R=97,1,2;RF=0.9,1e-5,.;two=1,2.50;flag;name=x,y;where=s;x=0.10,NaN;nhomalt=0,2147483647;c=q"),
             ("1", 10, ".", "A", "T", ".", "RF;AC0", "AC=0;AN=100;L=one;R=.;two=.;name=.;x=1e-300"), ("1", 11, ".", "A", "C", ".", ".", "."),
             ("1", 12, ".", "A", "C", ".", "PASS", "x=inf;AF=+1;AC=007;AN=.5e3;nhomalt=2147483648;where=%41%2C=x"), ("1", 13, ".", "AC", "A,ACC", ".", "PASS", "AC=.,5;x=-0.0,.;flag"),
             ("1", 14, ".", "G", "A", ".", "PASS", "AC=-1;AN=9007199254740993;AF=12345678901234567890;x=1.;name=a b"), ("1", 15, ".", "G", "A", ".", "PASS", "flag=1;x=.5;AF=1E-5;L=;R=1,2")]
RICH_TEXT = vcf(RICH_ROWS, RICH)


def encodings():
    index(RICH_TEXT, "rich.vxg", "--fields", ",".join(RICH_FIELDS))
    m = Model(RICH_TEXT, fields=RICH_FIELDS)
    r = index(vcf([("1", 15, ".", "G", "A", ".", ".", "R=1,2,3")], RICH), "bad.vxg", "--fields", "R", status=1, name="bad.vcf")
    ok("1:15" in r.err and "R" in r.err, "a field with more values than alleles is an error that names the record", r.err)
    ask = ["1:10 A C", "1:10 A G", "1:10 A C,G,T", "1:10 A T,*,G", "1:11 A C", "1:11 A C,G", "1:12 A C", "1:13 AC A", "1:13 A AC", "1:13 AC A,ACC", "1:14 G A", "1:9 TA TC",
           "2:10 A C"]
    # an empty value, and one of too many parts, are not specified; all else is
    r = gn("-d", "rich.vxg", data=query(*ask, info="DP=7;Z"))
    ok(not differing(m, r.body, query(*ask, info="DP=7;Z").split("\n")[2:-1]), "values of every Number and Type are the source's text", differing(m, r.body))
    ok(info_of(r.body[2])["gnomad_L"] == "a%2Cb|c%2Cd,a%2Cb|c%2Cd,one" if len(r.body) > 2 else 0, "commas of a list within a list are %2C", r.body[2:3])
    ok(info_of(r.body[0]).get("gnomad_L") == "a,b|c,d", "but not with one ALT", r.body[:1])
    ok(info_of(r.body[2]).get("gnomad_flag") == "1,1,0", "flags are 0 and 1", r.body[2:3])
    ok(all(l.split("\t")[7].startswith("DP=7;Z;gnomad_") for l in r.body), "what was there stays in front", r.body[:1])
    d = {x: [h for h in r.head if h.startswith(f"##INFO=<ID=gnomad_{x},")] for x in RICH_FIELDS + ["FILTER", "status"]}
    ok(all(len(v) == 1 for v in d.values()), "each tag is declared once", {k: v for k, v in d.items() if len(v) != 1})
    want = {"AC": "A,Type=Integer", "AN": "A,Type=Integer", "AF": "A,Type=Float", "L": ".,Type=String", "R": ".,Type=", "two": ".,Type=", "flag": "A,Type=Integer",
            "name": "A,Type=String", "where": "A,Type=String", "FILTER": "A,Type=String", "status": "A,Type=String"}
    for k, v in want.items():
        ok(d[k] and f"Number={v}" in d[k][0], f"gnomad_{k}: Number={v}", d[k])
    once = gn("-d", "rich.vxg", "--no-version", data=query(*ask)).out
    ok(gn("-d", "rich.vxg", "--no-version", data=once).out == once, "running twice gives the same bytes")
    for odd in ("A=1;", "A=1;;", ";A=1", ";", "A=1;;B", ""):
        once = gn("-d", "rich.vxg", "--no-version", data=query("1:10 A C", info=odd))
        ok(once.body and once.body[0].split("\t")[7].startswith(odd) and gn("-d", "rich.vxg", "--no-version", data=once.out).out == once.out,
           f"also of the INFO '{odd}', which stays as it is", once.body)
    ok(gn("-d", "rich.vxg", data=gn("-d", "rich.vxg", data=query(*ask)).out).out.count(b"##vx-gnomadCommand=") == 1, "provenance is not repeated")
    r = gn("-d", "rich.vxg", data=query("1:11 A G", info="."))
    ok(r.body and r.body[0].endswith("\tgnomad_status=SITE_ONLY"), "an INFO of a point is replaced", r.body)
    old = query("1:10 A C", info="gnomad_AC=5,6;A=1;gnomad_status=X;gnomad_foo=7;gnomad_AF=3")
    t = info_of(gn("-d", "rich.vxg", data=old).body[0])
    ok(t.get("gnomad_AC") == "1" and t.get("A") == "1" and t.get("gnomad_status") == "FOUND", "tags that are there are replaced", t)
    t = info_of(gn("-d", "rich.vxg", data=query("1:11 A C", info="gnomad_AC=5;A")).body[0])
    ok("gnomad_AC" not in t and t.get("A") is True, "also by nothing", t)
    r = gn("-d", "rich.vxg", "-d", "g2=gold.vxg", data=query("1:10 A C,G", "2:100 A C"))
    g2 = Model(GOLD, prefix="g2")
    ok(not differing([m, g2], r.body), "two databases", differing([m, g2], r.body))
    for two in (["-d", "rich.vxg", "-d", "gold.vxg"], ["-d", "a=rich.vxg", "-d", "a=gold.vxg"]):
        ok(gn(*two, data=query("1:10 A C"), status=2).status == 2, "two databases of one name: exit 2: " + " ".join(two))
    ok(gn(data=query("1:10 A C"), status=2).status == 2, "no database: exit 2")
    crlf = query("1:10 A C", "1:11 A G").replace("\n", "\r\n")
    r = gn("-d", "rich.vxg", "--no-version", data=crlf).out.decode()
    ok(r.endswith("status=SITE_ONLY\r\n") and r.split("\r\n")[-3].endswith("FOUND"), "CRLF stays CRLF", r[-120:])
    long_line = query("1:10 A C").rstrip("\n") + "\tGT" + "\t0/1" * 200000 + "\n"
    r = gn("-d", "rich.vxg", "--no-version", data=long_line)
    ok(r.body and r.body[0].count("\t0/1") == 200000 and not differing(m, r.body), "a long line")


# --- simulated files -----------------------------------------------------------------
SETS = ["sparse", "dense", "shuffled", "respelt", "multi", "absent"]


def seqs(fa):
    out = {}
    for rec in read(fa).split(">")[1:]:
        name, _, s = rec.partition("\n")
        out[name.split()[0]] = s.replace("\n", "")
    return out


def simulated():
    write("ref.fa", sim("reference", "--contigs", "chr1:50000,chr2:20000", "--seed", "2"))
    S = seqs("ref.fa")
    for rel in ("v2", "v4"):
        text = sim("gnomad", "-f", "ref.fa", "--release", rel, "--density", "0.3").decode()
        fields = [k for k in gm.declared(text)]
        write(f"{rel}.vcf", text)
        cmd("index", "--fields", ",".join(fields), f"{rel}.vcf", "-o", f"{rel}.vxg")
        m = Model(text, fields=fields)
        ms = Model(text, fields=fields, seq=S)
        for s in SETS:
            sim("queries", "-f", "ref.fa", "--release", rel, "--density", "0.3", "--set", s, "-o", f"{rel}.{s}.vcf")
            src = [l for l in read(f"{rel}.{s}.vcf").split("\n") if l and l[0] != "#"]
            r = gn("-d", f"{rel}.vxg", f"{rel}.{s}.vcf")
            bad = differing(m, r.body, src)
            ok(not bad and len(r.body) == len(src), f"{rel}, {s}: {len(src)} records, all values", bad or len(r.body))
            if s in ("respelt", "multi"):
                r = gn("-d", f"{rel}.vxg", "-f", "ref.fa", f"{rel}.{s}.vcf")
                bad = differing(ms, r.body, src)
                ok(not bad and len(r.body) == len(src), f"{rel}, {s}, left-aligned", bad)
                n = sum("=FOUND" in l for l in r.body)
                ok(s == "multi" or n == len(src), "and all are found", f"{n} of {len(src)}")
        r = gn("-d", f"{rel}.vxg", data=read(f"{rel}.vcf"))
        bad = differing(m, r.body)
        ok(not bad, f"{rel}: its own sites, annotated", bad)
        ok(cmd("verify", f"{rel}.vxg", f"{rel}.vcf").status == 0, f"{rel}: verify agrees")
    # without fields: the names of the release; with groups
    for rel in ("v2", "v4"):
        text = read(f"{rel}.vcf")
        cmd("index", f"{rel}.vcf", "-o", "def.vxg")
        m = Model(text)
        r = gn("-d", "def.vxg", f"{rel}.sparse.vcf")
        ok(not differing(m, r.body), f"{rel}: the default fields", differing(m, r.body))
        ok(any("gnomAD " + rel in h for h in r.head if "gnomad_AF" in h), f"{rel}: the release stands in the header", [h for h in r.head if "gnomad_AF" in h])
        cmd("index", "--pops", f"{rel}.vcf", "-o", "pops.vxg")
        t = tags(gn("-d", "pops.vxg", f"{rel}.sparse.vcf"))
        groups = [x for x in ("nfe", "afr", "amr", "eas", "sas", "fin", "asj", "remaining", "oth", "ami", "mid") if f"AF_{x}" in m.decl]
        missing = [f"gnomad_{k}_{g}" for g in groups for k in ("AC", "AN", "nhomalt") if f"gnomad_{k}_{g}" not in t]
        ok(not missing, f"{rel}: --pops adds the groups", missing)
    cmd("index", "--field", "AF=AF_nfe", "--fields", "AF,grpmax", "v4.vcf", "-o", "over.vxg")
    m = Model(read("v4.vcf"), fields=[("AF", "AF_nfe"), ("grpmax", "grpmax")])
    bad = differing(m, gn("-d", "over.vxg", "v4.sparse.vcf").body)
    ok(not bad, "--field NAME=TAG", bad)
    r = cmd("index", "--fields", "AF,AF_nef", "v4.vcf", "-o", "no.vxg", status=2)
    ok("AF_nfe" in r.err and not os.path.exists("no.vxg"), "an unknown field: exit 2, and which was meant", r.err)


def same_bytes():
    for s in SETS:
        f = f"v4.{s}.vcf"
        out = [gn("-d", "v4.vxg", *o, f).out for o in (["-@", "1"], ["-@", "2"], ["-@", "8"], ["-M", "48M"], ["-M", "4G", "-@", "3"])]
        ok(len(set(out)) == 1 and out[0], f"{s}: the same bytes with 1, 2, 8 threads and under -M 48M", [len(x) for x in out])
        ok(gn("-d", "v4.vxg", data=read(f)).out == out[0], f"{s}: and from standard input")
    a = sorted(gn("-d", "v4.vxg", "v4.shuffled.vcf").body)
    b = sorted(gn("-d", "v4.vxg", "v4.sparse.vcf").body)
    ok(a == b and a, "shuffled queries get what sorted ones get")
    many = read("v4.dense.vcf").split("\n")
    body, head = [l for l in many if l and l[0] != "#"], [l for l in many if l[:1] == "#"]
    rng.shuffle(body)
    write("all.shuffled.vcf", "\n".join(head + body) + "\n")
    m = Model(read("v4.vcf"), fields=list(gm.declared(read("v4.vcf"))))
    r = [gn("-d", "v4.vxg", *o, "all.shuffled.vcf") for o in (["-@", "1"], ["-@", "4", "-M", "48M"])]
    ok(r[0].out == r[1].out and not differing(m, r[0].body, body), "every variant, shuffled", differing(m, r[0].body, body))


def formats():
    write("v4.sparse.vcf.gz", bgzf(read("v4.sparse.vcf").encode()))
    want = gn("-d", "v4.vxg", "v4.sparse.vcf").out
    ok(gn("-d", "v4.vxg", "v4.sparse.vcf.gz").out == want, "from .vcf.gz")
    gn("-d", "v4.vxg", "v4.sparse.vcf.gz", "-o", "o.vcf.gz")
    ok(gzip.decompress(open("o.vcf.gz", "rb").read()) == want, "to .vcf.gz")
    Run(BIN, "vx-leftalign", "-q", "-f", "ref.fa", "v4.sparse.vcf", "-o", "q.bcf")
    Run(BIN, "vx-leftalign", "-q", "-f", "ref.fa", "v4.multi.vcf", "-o", "qm.bcf")
    gn("-d", "v4.vxg", "q.bcf", "-o", "o.bcf")
    gn("-d", "v4.vxg", "v4.sparse.vcf", "-o", "o2.bcf")
    gn("-d", "v4.vxg", "qm.bcf", "-o", "om.bcf")
    gn("-d", "rich.vxg", "-O", "b", "-o", "rich.bcf", data=query("1:10 A C,G,T", "1:10 A G", "1:12 A C", "1:13 AC A,ACC", "1:14 G A", head="##contig=<ID=1>\n"))
    one = gn("-d", "v4.vxg", "--no-version", "o.bcf", "-o", "o3.bcf")
    bt = shutil.which("bcftools")
    if not bt:
        skip("BCF out", "bcftools is not installed")
        return
    view = lambda f: Run("", bt, "view", "--no-version", "-H", f).out.decode().split("\n")[:-1]

    def same(a, b):
        """INFO dicts, numbers as float32."""
        x, y = info_of(a), info_of(b)
        if list(x) != list(y):
            return False
        for k in x:
            for u, v in zip(str(x[k]).split(","), str(y[k]).split(",")):
                if u != v:
                    try:
                        if f"{struct.unpack('f', struct.pack('f', float(u)))[0]:.6g}" != f"{struct.unpack('f', struct.pack('f', float(v)))[0]:.6g}":
                            return False
                    except (ValueError, OverflowError):
                        return False
        return True
    for name, f in (("BCF to BCF", "o.bcf"), ("text to BCF", "o2.bcf"), ("twice", "o3.bcf")):
        a, b = view(f), [l for l in want.decode().split("\n") if l and l[0] != "#"]
        bad = [(x[:60], y[:60]) for x, y in zip(a, b) if not same(x, y)]
        ok(len(a) == len(b) and not bad, f"{name}: as in text, numbers as float32", bad[:2] or len(a))
    a, b = view("om.bcf"), gn("-d", "v4.vxg", "v4.multi.vcf").body
    bad = [(x[:160], y[:160]) for x, y in zip(a, b) if not same(x, y)]
    ok(len(a) == len(b) and not bad, "several ALTs, BCF to BCF", bad[:2] or len(a))
    t = info_of(view("rich.bcf")[0])
    ok(t.get("gnomad_AC") == "1,2,0" and t.get("gnomad_flag") == "1,1,0" and t.get("gnomad_L") == "a%2Cb|c%2Cd,a%2Cb|c%2Cd,one" and
       t.get("gnomad_name") == "x,y,.", "every Number and Type in BCF", t)
    index(vcf([("1", 7, ".", "A", "C", ".", "PASS", "AF=xyz;AC=abc"), ("1", 8, ".", "A", "C", ".", "PASS", "AF=1e-60;AC=1.5"),
               ("1", 9, ".", "A", "C", ".", "PASS", "AF=+.5;AC=3.0")], DECL), "text.vxg")
    gn("-d", "text.vxg", "-O", "b", "-o", "text.bcf", data=query("1:7 A C", "1:8 A C", "1:9 A C", head="##contig=<ID=1>\n"))
    t = [[info_of(l).get("gnomad_" + k) for k in ("AF", "AC")] for l in view("text.bcf")]
    ok(t == [[".", "."], ["0", "."], ["0.5", "3"]], "what is no number in the source is missing in BCF, not 0", t)
    ok(gn("-d", "v4.vxg", "q.bcf").out.count(b"gnomad_status") == want.count(b"gnomad_status"), "BCF to text")
    ok(view("o.bcf") == Run("", bt, "view", "--no-version", "-H", data=gn("-d", "v4.vxg", "-O", "u", "q.bcf").out).out.decode().split("\n")[:-1], "and to BCF without compression")


def indexes():
    """-W: the index of the output finds what is there."""
    Run(BIN, "vx-leftalign", "-q", "-f", "ref.fa", "v4.sparse.vcf", "-o", "q.bcf")
    want = gn("-d", "v4.vxg", "v4.sparse.vcf").body
    for src in ("v4.sparse.vcf", "q.bcf", "v4.dense.vcf"):
        for name, more in (("w.vcf.gz", []), ("w.vcf.gz", ["--tbi"]), ("w.bcf", [])):
            for f in ("w.vcf.gz.csi", "w.vcf.gz.tbi", "w.bcf.csi"):
                if os.path.exists(f):
                    os.remove(f)
            r = gn("-d", "v4.vxg", "-W", *more, "-o", name, src, status=None)
            if not ok(r.status == 0 and any(os.path.exists(name + x) for x in (".csi", ".tbi")), f"-W {' '.join(more)}: {src} to {name}", r.err):
                continue
            if shutil.which("bcftools"):
                a, b = (Run("", "bcftools", "view", "--no-version", "-H", x, "chr1:20000-50000,chr2:5-9000", "--targets-overlap" if x == "-t" else "--regions-overlap", "1", name).out
                        for x in ("-r", "-t"))
                ok(a == b != b"", f"{src} to {name} {' '.join(more)}: the index finds a region", (len(a), len(b)))
    write("ix.vcf.gz", bgzf(read("v4.sparse.vcf").encode()))
    r = gn("-d", "v4.vxg", "-r", "chr1:20000-50000", "v4.sparse.vcf")
    ok(r.body == [l for l in want if l.startswith("chr1\t") and 20000 <= int(l.split("\t")[1]) <= 50000] != [], "-r", len(r.body))


parts = [golden, shapes, odd_alleles, encodings, simulated, same_bytes, formats, indexes]
for f in parts:
    if not ONLY or f.__name__ in ONLY:
        part(f)
shutil.rmtree(TMP, ignore_errors=True)
gm.done()
