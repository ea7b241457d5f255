"""vx-leftalign: golden cases through the tool, order, passes, formats; python3 alone.

Usage: leftalign.py BINDIR.  What needs bcftools is skipped when there is none.
"""
import gzip, os, random, re, shutil, struct, subprocess, sys, tempfile, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../build/release/bin"))
TMP = tempfile.mkdtemp(prefix="vx-test.")
os.chdir(TMP)
count = failed = 0


def ok(good, what, got=""):
    global count, failed
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {what}" + (f" ({got})" if got != "" and not good else ""), flush=True)
    failed += not good
    return bool(good)


def skip(what, why):
    global count
    count += 1
    print(f"ok {count} - {what} # SKIP {why}", flush=True)


def vx(*args, data=None, status=0, env=None):
    """Runs vx-leftalign; its standard output, after a look at the exit status."""
    p = subprocess.run([BIN + "/vx-leftalign", "-q", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env={**os.environ, **(env or {})})
    vx.err = p.stderr.decode(errors="replace")
    vx.status = p.returncode
    if p.returncode != status:
        ok(False, "vx-leftalign " + " ".join(args), f"exit {p.returncode}, not {status}: {vx.err.strip()[:200]}")
    return p.stdout


def stats(*args, data=None):
    import json
    vx("--json", "stats.json", *args, data=data)
    return json.load(open("stats.json"))["metrics"]


def body(out):
    return [l for l in out.decode().split("\n") if l and not l.startswith("#")]


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


HEAD = "##fileformat=VCFv4.3\n"
COLS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

# --- the reference and the rows of golden_norm.h ------------------------------------
src = open(os.path.join(HERE, "../golden_norm.h")).read()
seqs = {}
for name, rest in re.findall(r'\{ "(\w+)", ((?:"[A-Za-z]+"\s*)+)\}', src):
    seqs[name] = "".join(re.findall(r'"([A-Za-z]+)"', rest))
rows = [(i, c, int(p), r, a, int(wp), wr, wa) for i, c, p, r, a, wp, wr, wa in
        re.findall(r'\{ "([LNM]\d+)", "(\w+)", (\d+), "([^"]+)", "([^"]+)", (\d+), "([^"]+)", "([^"]+)" \}', src)]


def fasta(path, seqs, width=20, eol="\n"):
    with open(path, "w", newline="") as f:
        for n, s in seqs.items():
            f.write(f">{n} note{eol}")
            for i in range(0, len(s), width):
                f.write(s[i:i + width] + eol)


fasta("golden.fa", seqs)
contigs = "".join(f"##contig=<ID={n},length={len(s)}>\n" for n, s in seqs.items())
order = list(seqs)


def vcf(recs, head=HEAD + contigs, cols=COLS):
    return (head + cols + "".join("\t".join(map(str, r)) + "\n" for r in recs)).encode()


def sorted_recs(recs):
    return sorted(recs, key=lambda r: (order.index(r[0]), int(r[1])))


# all rows in one file, by ID
data = vcf(sorted_recs([(c, p, i, r, a, ".", ".", ".") for i, c, p, r, a, *_ in rows]))
want = {i: (c, str(wp), wr, wa) for i, c, p, r, a, wp, wr, wa in rows}
have = {}
for l in body(vx("-f", "golden.fa", data=data)):
    f = l.split("\t")
    have[f[2]] = (f[0], f[1], f[3], f[4])
# what is normal keeps its case
for i, c, p, r, a, wp, wr, wa in rows:
    h = have.get(i)
    ok(h and (h[0], h[1], h[2].upper(), h[3].upper()) == want[i], f"{i} {c}:{p} {r}>{a}", h)
out = body(vx("-f", "golden.fa", data=data))
keys = [(order.index(l.split("\t")[0]), int(l.split("\t")[1])) for l in out]
ok(keys == sorted(keys) and len(out) == len(rows), "all rows in one file come out sorted")
a = body(vx("-f", "golden.fa", "--iupac", "alpha", data=vcf([("iup", 6, ".", "A", "AA", ".", ".", ".")])))
ok(a[0].split("\t")[1:5] == ["5", ".", "A", "AA"], "L32 --iupac alpha", a)

# the same rows with references written otherwise
fasta("crlf.fa", seqs, 13, "\r\n")
fasta("one.fa", seqs, 1000)
for f in ("crlf.fa", "one.fa"):
    ok(body(vx("-f", f, data=data)) == out, f"the same with {f}")
fasta("lower.fa", {n: s.lower() for n, s in seqs.items()})
ok(body(vx("-f", "lower.fa", data=data)) == out, "the same with a soft-masked reference")

# --- splitting ---------------------------------------------------------------------
SPLIT = [("hp", 9, "AAT", "AT,A", ["4 CA C", "9 AAT A"]), ("str", 9, "ACACA", "A,ACA", ["5 GCACA G", "5 GCA G"]),
         ("hp", 9, "AAT", "AAG,AT", ["4 CA C", "11 T G"]), ("str", 12, "CA", "C,CACA,TA", ["5 G GCA", "12 CA C", "12 C T"]),
         ("hp", 10, "A", "AA,G", ["4 C CA", "10 A G"]), ("hp", 9, "AA", "A,A", ["4 CA C", "4 CA C"]),
         ("str", 9, "ACACA", "A,ACA,*", ["5 GCACA G", "5 GCA G", "9 ACACA *"])]
for c, p, r, a, w in SPLIT:
    h = [" ".join((f[1], f[3], f[4])) for f in (l.split("\t") for l in body(vx("-f", "golden.fa", "-m", "split",
         data=vcf([(c, p, ".", r, a, ".", ".", ".")]))))]
    ok(h == w, f"split {c}:{p} {r}>{a}", h)
fhead = HEAD + contigs + '##INFO=<ID=AC,Number=A,Type=Integer,Description="x">\n##INFO=<ID=AD,Number=R,Type=Integer,Description="x">\n' \
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="x">\n##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">\n' \
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">\n' \
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">\n'
fcols = COLS.rstrip() + "\tFORMAT\tS1\tS2\n"
fields = ("hp", 9, ".", "AAT", "AT,A", ".", ".", "AC=3,5;AD=10,3,5;DP=18;CLNSIG=Pathogenic,Benign", "GT:AD:PL",
          "1/2:1,8,9:90,80,70,60,50,40", "0|1:9,9,0:1,2,3,4,5,6")
sdata = vcf([fields], fhead, fcols)
h = [l.split("\t") for l in body(vx("-f", "golden.fa", "-m", "split", data=sdata))]
ok(h[0][7:] == ["AC=3;AD=10,3;DP=18;CLNSIG=Pathogenic,Benign", "GT:AD:PL", "1/0:1,8:90,80,70", "0|1:9,9:1,2,3"], "split fields, first ALT", h[0])
ok(h[1][7:] == ["AC=5;AD=10,5;DP=18;CLNSIG=Pathogenic,Benign", "GT:AD:PL", "0/1:1,9:90,60,40", "0|0:9,0:1,4,6"], "split fields, second ALT", h[1])
hap = ("hp", 9, ".", "AAT", "AT,A", ".", ".", "AC=3;AD=.;X=1,2", "GT:AD:PL", "2:.:1,2,3", "./.")
h = [l.split("\t") for l in body(vx("-f", "golden.fa", "-m", "split", data=vcf([hap], fhead, fcols)))]
ok(h[1][7:] == ["AC=3;AD=.;X=1,2", "GT:AD:PL", "1:.:1,3", "./."], "split: haploid, missing, wrong length copied whole, undeclared whole", h[1])
ok("INFO/AC" in vx.err, "and says which field did not fit", vx.err)
vx("-f", "golden.fa", "-m", "split", "--strict", data=vcf([hap], fhead, fcols), status=1)
ok(vx.status == 1 and "INFO/AC" in vx.err, "--strict: a wrong length is an error")

# --- records that must not be damaged ------------------------------------------------
E = [("E01", "hp", 10, "A", "*", ".", "star"), ("E02", "hp", 9, "AA", "A,*", ".", "star"), ("E03", "hp", 9, "AA", "A,<NON_REF>", ".", "nonref"),
     ("E04", "hp", 9, "A", "<NON_REF>", "END=11", "block"), ("E05", "hp", 9, "A", ".", "END=11", "refonly"), ("E06", "hp", 9, "AA", ".", ".", "refonly"),
     ("E07", "hp", 9, "A", "<DEL>", "END=10;SVTYPE=DEL", "symbolic"), ("E08", "hp", 9, "A", "<DEL>", "END=10;SVTYPE=DEL;SVLEN=-1", "symbolic"),
     ("E09", "hp", 9, "A", "<DUP>", "SVLEN=1;END=10", "symbolic"), ("E10", "hp", 9, "A", "<INS>", "SVLEN=5", "symbolic"),
     ("E11", "hp", 9, "A", "A]str:5]", ".", "breakend"), ("E12", "hp", 9, "A", "<*>", ".", "nonref"), ("E13", "hp", 9, "CC", "C", ".", "ref_mismatch"),
     ("E14", "iup", 5, "A", "G", ".", "snv"), ("E15", "iup", 5, "R", "G", ".", "non_acgtn"), ("E16", "iup", 5, "N", "G", ".", "ref_n"),
     ("E17", "iup", 15, "A", "G", ".", "ref_n"), ("E18", "hp", 9, "NA", "N", ".", "ref_n"), ("E19", "hp", 9, "AA", "R", ".", "non_acgtn"),
     ("E20", "hp", 24, "GA", "G", ".", "oob"), ("E21", "hp", 30, "A", "G", ".", "oob"), ("E22", "hp", 9, "AA", "AA", ".", "alt_eq_ref"),
     ("E23", "nofasta", 10, "A", "AT", ".", "no_contig"), ("E25", "hp", 9, "A", "A.", ".", "breakend"), ("E27", "hp", 9, "AA", "A,.", ".", "non_acgtn"),
     ("E28", "hp", 0, "N", ".[str:5[", ".", "breakend"), ("E29", "hp", 9, "A", "<CN0>", "END=10", "symbolic"),
     ("E30", "hp", 12, "GC", "G,<DEL>", "END=13", "symbolic"), ("M08", "hp", 9, "AA", "A,AA", ".", "alt_eq_ref")]
for i, c, p, r, a, info, why in E:
    d = vcf([(c, p, i, r, a, "1234567.890", "q10;PASS", info)], HEAD)
    h = vx("-f", "golden.fa", "--no-version", data=d)
    ok(h == d, f"{i} passes byte for byte", h.decode().split("\n")[-2])
    m = stats("-f", "golden.fa", data=d)
    ok(m[why] == 1 and m["in"] == m["out"] == 1, f"{i} counts as {why}", m)
for i, c, p, r, a, info, w in [("E24", "hp", 9, "AA", "A", "END=10", "4 CA C END=5"), ("E24b", "hp", 9, "AA", "A", "X;END=10;Y=1", "4 CA C X;END=5;Y=1"),
                               ("E26", "hp", 9, "AA", "a", ".", "4 CA C ."), ("E26b", "hp", 9, "AA", "A", "BEND=10;XEND", "4 CA C BEND=10;XEND")]:
    f = body(vx("-f", "golden.fa", data=vcf([(c, p, i, r, a, ".", ".", info)])))[0].split("\t")
    ok(" ".join((f[1], f[3], f[4], f[7])) == w, i, f)
for i, alt, info, w in [("E07", "<DEL>", "END=10;SVTYPE=DEL", "4 C <DEL> END=5;SVTYPE=DEL"), ("E08", "<DEL>", "END=10;SVTYPE=DEL;SVLEN=-1", "4 C <DEL> END=5;SVTYPE=DEL;SVLEN=-1"),
                        ("E09", "<DUP>", "SVLEN=1;END=10", "4 C <DUP> SVLEN=1;END=5")]:
    f = body(vx("-f", "golden.fa", "--sv", data=vcf([("hp", 9, i, "A", alt, ".", ".", info)])))[0].split("\t")
    ok(" ".join((f[1], f[3], f[4], f[7])) == w, i + " --sv", f)
vx("-f", "golden.fa", "-c", "e", data=vcf([("hp", 9, ".", "CC", "C", ".", ".", ".")]), status=1)
ok("hp:9" in vx.err, "E13 -c e stops and names the record", vx.err)
ok(body(vx("-f", "golden.fa", "-c", "x", data=vcf([("hp", 9, ".", "CC", "C", ".", ".", "."), ("hp", 10, ".", "A", "G", ".", ".", ".")]))) ==
   ["hp\t10\t.\tA\tG\t.\t.\t."], "E13 -c x drops")
f = body(vx("-f", "golden.fa", "-m", "split", data=vcf([("hp", 9, ".", "AA", "A,*", ".", ".", ".")])))
ok([" ".join(l.split("\t")[1:5:1]) for l in f] == ["4 . CA C", "9 . AA *"], "E02 split: the other ALT is aligned", f)
f = body(vx("-f", "golden.fa", data=vcf([("chrhp", 9, ".", "AA", "A", ".", ".", ".")], HEAD + "##contig=<ID=chrhp>\n")))
ok(f == ["chrhp\t4\t.\tCA\tC\t.\t.\t."], "E31 alias, the contig's name as it was", f)
f = body(vx("-f", "golden.fa", data=vcf([("chrhp", 9, ".", "AA", "A", ".", ".", ".")], HEAD + "##contig=<ID=chrhp,length=99>\n")))
ok(f == ["chrhp\t9\t.\tAA\tA\t.\t.\t."], "E31 no alias when the lengths differ", f)
ok(vx("-f", "golden.fa", "--no-version", data=vcf([], HEAD)) == vcf([], HEAD), "E32 header only")
crlf = vcf([("hp", 9, ".", "AA", "A", ".", ".", "END=10"), ("hp", 11, ".", "T", "G", ".", ".", ".")]).replace(b"\n", b"\r\n")
h = vx("-f", "golden.fa", "--no-version", data=crlf)
ok(h == crlf.replace(b"hp\t9\t.\tAA\tA\t.\t.\tEND=10", b"hp\t4\t.\tCA\tC\t.\t.\tEND=5"), "E32 CRLF stays CRLF", h[-80:])
two = vcf([("nofasta", 10, ".", "A", "AT", ".", ".", "."), ("hp", 9, ".", "AA", "A", ".", ".", ".")], HEAD)
ok([l.split("\t")[1] for l in body(vx("-f", "golden.fa", data=two))] == ["10", "4"], "E23 later records are still treated")
vx("-f", "golden.fa", "--strict", data=two, status=1)
ok("nofasta" in vx.err, "E23 --strict names the contig", vx.err)
many = vcf([("hp", 5, ".", "C", "G", ".", ".", ".")] * 6 + [("hp", 11, ".", "T", "G", ".", ".", ".")] * 94)
vx("-f", "golden.fa", data=many, status=1)
ok("another build" in vx.err, "6 % of 100 REFs wrong: refused", vx.err)
ok(len(body(vx("-f", "golden.fa", "-c", "w", data=many))) == 100, "but -c w passes them")

# --- order ---------------------------------------------------------------------------
O1 = [("hp", 4, "a", "CA", "C"), ("hp", 9, "b", "AA", "A"), ("hp", 10, "c", "AT", "T"), ("hp", 11, "d", "T", "G"), ("hp", 12, "e", "G", "A")]
f = [l.split("\t")[1:3] for l in body(vx("-f", "golden.fa", data=vcf([(*r, ".", ".", ".") for r in O1])))]
ok(f == [["4", "a"], ["4", "b"], ["4", "c"], ["11", "d"], ["12", "e"]], "O1 ties in input order", f)
f = [l.split("\t")[1:3] for l in body(vx("-f", "golden.fa", "--dedup", "exact", data=vcf([(*r, ".", ".", ".") for r in O1])))]
ok(f == [["4", "a"], ["11", "d"], ["12", "e"]], "O1 --dedup exact", f)
fasta("o2.fa", {"c": "ACGTC" + "G" * 3000 + "TACCA"})
O2 = vcf([("c", 10, ".", "G", "T", ".", ".", "."), ("c", 1500, ".", "G", "T", ".", ".", "."), ("c", 3004, ".", "GG", "G", ".", ".", "."),
          ("c", 3006, ".", "T", "A", ".", ".", ".")], HEAD + "##contig=<ID=c,length=3010>\n")
f = [" ".join(l.split("\t")[1:5]) for l in body(vx("-f", "o2.fa", data=O2))]
ok(f == ["5 . CG C", "10 . G T", "1500 . G T", "3006 . T A"], "O2 a long shift, sorted", f)
vx("-f", "o2.fa", "-w", "100", data=O2, status=1)
ok("3004" in vx.err and "-w 2999" in vx.err, "O2 -w 100: refused, naming record and window", vx.err)
ok(len(body(vx("-f", "o2.fa", "-w", "2999", data=O2))) == 4, "O2 -w 2999 suffices")
fasta("o7.fa", {"c": "ACGCTCCTCCTCCAGA"})
for gt, w in (("0|1", "0|1"), ("0/1", "0/1"), ("0|1", "1|0")):
    d = vcf([("c", 3, ".", "GC", "G", ".", ".", ".", "GT", gt), ("c", 7, ".", "CTCC", "C", ".", ".", ".", "GT", w)], HEAD + "##contig=<ID=c,length=16>\n" +
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n', COLS.rstrip() + "\tFORMAT\tS\n")
    f = [" ".join(l.split("\t")[1:5:2] + [l.split("\t")[4]]) for l in body(vx("-f", "o7.fa", data=d))]
    ok(f == ["3 GC G", "3 GCTC G"], "O7 by default a record moves past another", f)
    g = ["3 GC G", "3 GCTC G"] if w == "1|0" else ["3 GC G", "5 TCCT T"]
    f = [" ".join(l.split("\t")[1:5:2] + [l.split("\t")[4]]) for l in body(vx("-f", "o7.fa", "--guard", data=d))]
    ok(f == g, f"O7 --guard with {gt} and {w}", f)
    vx("-f", "o7.fa", "-o", "o7.bcf", "--guard", data=d)
    f = [" ".join(l.split("\t")[1:5:2] + [l.split("\t")[4]]) for l in body(vx("-f", "o7.fa", "--guard", "o7.bcf"))]
    ok(f == g, "O7 and with BCF", f)
bad = vcf([("hp", 11, ".", "T", "G", ".", ".", "."), ("hp", 9, ".", "AA", "A", ".", ".", ".")])
vx("-f", "golden.fa", data=bad, status=1)
ok("unsorted" in vx.err and "hp:9" in vx.err and "hp:11" in vx.err, "unsorted input names both records", vx.err)
ok([l.split("\t")[1] for l in body(vx("-f", "golden.fa", "--unsorted", "ok", data=bad))] == ["11", "4"], "--unsorted ok leaves each at its place")
back = vcf([("hp", 11, ".", "T", "G", ".", ".", "."), ("str", 9, ".", "A", "G", ".", ".", "."), ("hp", 12, ".", "G", "A", ".", ".", ".")])
vx("-f", "golden.fa", data=back, status=1)
ok("hp comes again" in vx.err, "a contig that comes again is unsorted", vx.err)
h = vx("-f", "golden.fa", "--no-version", data=data)
ok(vx("-f", "golden.fa", "--no-version", data=h) == h, "O3 idempotent")
m = stats("-f", "golden.fa", data=h)
ok(m["shifted"] == m["trimmed"] == 0, "O3 and nothing counts as moved", m)

# --- header, options ------------------------------------------------------------------
h = vx("-f", "golden.fa", data=data).decode()
ok(h.count("##vx-leftalignCommand=") == 1 and "golden.fa" not in h, "one line of provenance, without paths")
ok(vx("-f", "golden.fa", data=h.encode()).decode().count("##vx-leftalignCommand=") == 1, "not repeated by an equal run")
f = body(vx("-f", "golden.fa", "--old-tag", "WAS", data=vcf([("hp", 9, ".", "AA", "A", ".", ".", "."), ("hp", 11, ".", "T", "G", ".", ".", "DP=1")])))
ok(f[0].split("\t")[7] == "WAS=hp|9|AA|A" and f[1].split("\t")[7] == "DP=1", "--old-tag", f)
f = body(vx("-f", "golden.fa", "--old-tag", "WAS", "-m", "split", data=vcf([("hp", 9, ".", "AAT", "AT,A", ".", ".", "DP=1")])))
ok(f[1].split("\t")[7] == "DP=1;WAS=hp|9|AAT|AT,A|2", "--old-tag with split", f)
f = [l.split("\t")[2] for l in body(vx("-f", "golden.fa", "-t", "hp:9-10,str", data=vcf([(*r, ".", ".", ".") for r in O1])))]
ok(f == ["b", "c"], "-t takes records by their POS in the input", f)
f = [l.split("\t")[2] for l in body(vx("-f", "golden.fa", "-t", "^hp:9-10", data=vcf([(*r, ".", ".", ".") for r in O1])))]
ok(f == ["a", "d", "e"], "-t ^", f)
write("r.bed", "hp\t8\t10\n")
f = [l.split("\t")[2] for l in body(vx("-f", "golden.fa", "-T", "r.bed", data=vcf([(*r, ".", ".", ".") for r in O1])))]
ok(f == ["b", "c"], "-T with BED", f)

# --- the same in and out of every format ------------------------------------------------


def bgzf(data, size=60000):
    out = b""
    for i in range(0, len(data), size):
        raw = data[i:i + size]
        c = zlib.compressobj(6, zlib.DEFLATED, -15)
        d = c.compress(raw) + c.flush()
        out += struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(d) + 25) + d + struct.pack("<II", zlib.crc32(raw), len(raw))
    return out + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


# many records over a repeat-rich reference, long and short lines
rng = random.Random(1)


def repeats(n):
    s = ""
    while len(s) < n:
        u = "".join(rng.choice("ACGT") for _ in range(rng.randint(1, 4)))
        s += u * rng.randint(1, 6)
    return s[:n]


big = {"c1": repeats(40000), "c2": repeats(20000)}
fasta("big.fa", big, 60)
recs = []
for c, s in big.items():
    for p in sorted(rng.sample(range(1, len(s) - 20), len(s) // 10)):
        n = rng.choice([1, 1, 1, 1, 2, 3])
        ref = s[p:p + n]
        alt = rng.choice([ref[0], ref[0] + s[p + n:p + n + 2], rng.choice("ACGT"), ref + rng.choice("ACGT")])
        if alt == ref:
            alt = ref + "A"
        if rng.random() < .1:
            alt += ",*"
        recs.append((c, p + 1, f"r{len(recs)}", ref, alt, "12.50", "PASS", f"DP={p};AF=0.500;END={p + n}" if rng.random() < .2 else f"DP={p};AF=0.500",
                     "GT:PL", "0/1:1,2,3,4,5,6" if "," in alt else "0/1:1,2,3"))
bhead = HEAD + "##contig=<ID=c1,length=40000>\n##contig=<ID=c2,length=20000>\n" + '##FILTER=<ID=PASS,Description="x">\n' \
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="x">\n##INFO=<ID=AF,Number=1,Type=Float,Description="x">\n' \
    '##INFO=<ID=END,Number=1,Type=Integer,Description="x">\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n' \
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">\n'
bdata = vcf(recs, bhead, COLS.rstrip() + "\tFORMAT\tS1\n")
open("big.vcf", "wb").write(bdata)
open("big.vcf.gz", "wb").write(bgzf(bdata, 3000))
with gzip.GzipFile("plain.vcf.gz", "wb", mtime=0) as f:
    f.write(bdata)
for opts in ([], ["-m", "split"], ["--dedup", "exact"], ["--old-tag", "WAS"]):
    o = ["-f", "big.fa", "--no-version", *opts]
    ref = vx(*o, "big.vcf")
    what = " ".join(opts) or "defaults"
    ok(vx(*o, "big.vcf.gz") == ref and vx(*o, "plain.vcf.gz") == ref, f"{what}: text, bgzip and gzip in, the same out")
    ok(vx(*o, data=bdata) == ref and vx(*o, data=open("big.vcf.gz", "rb").read()) == ref, f"{what}: and from standard input")
    for t in ("1", "2", "8"):
        ok(vx(*o, "-@", t, "big.vcf.gz", "-O", "z") == vx(*o, "big.vcf.gz", "-O", "z", "-@", "3"), f"{what}: .vcf.gz, the same bytes with -@ {t}")
    ok(gzip.decompress(vx(*o, "-O", "z", "big.vcf.gz")) == ref, f"{what}: .vcf.gz out holds the same")
    ok(gzip.decompress(vx(*o, "-O", "z9", "big.vcf.gz")) == ref, f"{what}: and at a level of its own")
    vx(*o, "-o", "b.bcf", "big.vcf")
    vx(*o, "-o", "b2.bcf", "-O", "u", "big.vcf.gz")
    t1 = vx("-f", "big.fa", "--no-version", "b.bcf")
    ok([l.split("\t")[:5] for l in body(t1)] == [l.split("\t")[:5] for l in body(ref)], f"{what}: BCF out and in again")
    ok(vx("-f", "big.fa", "--no-version", "b2.bcf") == t1, f"{what}: uncompressed BCF")
    vx("-f", "big.fa", "-o", "in.bcf", "--no-version", "-t", "^none", "--unsorted", "ok", "big.vcf") if False else None
keys = [(l.split("\t")[0], int(l.split("\t")[1])) for l in body(vx("-f", "big.fa", "big.vcf"))]
ok(keys == sorted(keys), "sorted")
# untouched lines are the input's, byte for byte
inlines, outlines = set(body(bdata)), body(vx("-f", "big.fa", "big.vcf"))
m = stats("-f", "big.fa", "big.vcf")
ok(sum(l not in inlines for l in outlines) == m["shifted"] + m["trimmed"], "only moved records differ from the input")
ok(m["shifted"] > 300, "and there are many of them", m["shifted"])

# a clean file goes through block by block
clean = vx("-f", "big.fa", "--no-version", "big.vcf")
open("clean.vcf.gz", "wb").write(bgzf(clean, 5000))
m = stats("-f", "big.fa", "--no-version", "-o", "passed.vcf.gz", "clean.vcf.gz")
ok(m["blocks_passed"] > 40 and m["blocks_compressed"] <= 3 and gzip.decompress(open("passed.vcf.gz", "rb").read()) == clean,
   "clean blocks are passed on", m)

# --- bad input ------------------------------------------------------------------------
vx("-f", "golden.fa", data=data[:-5], status=3)
ok(vx.status == 3, "text cut in mid-line is exit 3")
h = vx("-f", "golden.fa", data=data[:-5], status=3)
ok(h[-1:] != b"\n", "and what was written has no end either", h[-20:])
vx("-f", "golden.fa", data=b"", status=3)
vx("-f", "golden.fa", data=b"hello\n", status=1)
ok("neither VCF nor BCF" in vx.err, "something else is named so", vx.err)
z = open("big.vcf.gz", "rb").read()
vx("-f", "big.fa", data=z[:-28], status=3)
ok("bgzip -dc" in vx.err, "BGZF without its end block: exit 3 and the remedy", vx.err)
vx("-f", "big.fa", data=z[:len(z) // 2], status=3)
ok(vx.status == 3, "BGZF cut in a block")
flip = bytearray(z)
flip[len(z) // 2] ^= 255
vx("-f", "big.fa", data=bytes(flip), status=1)
ok(vx.status == 1, "a flipped byte", vx.err)
g = open("plain.vcf.gz", "rb").read()
vx("-f", "big.fa", data=g[:-100], status=3)
ok(vx.status == 3, "gzip cut short")
vx("-f", "golden.fa", data=data.replace(b"hp\t10", b"hp\tten", 1), status=1)
ok("POS" in vx.err, "POS that is no number", vx.err)
vx("-f", "golden.fa", data=data + b"hp\t1\0\t.\tG\tA\t.\t.\t.\n", status=1)
ok("NUL" in vx.err, "NUL bytes", vx.err)
vx("-f", "missing.fa", data=data, status=1)
vx(data=data, status=2)
ok("-f" in vx.err, "no reference: exit 2")
write("dup.fa.fai", open("golden.fa.fai").read())
fasta("dup.fa", {"x" + n: s for n, s in seqs.items()})
vx("-f", "dup.fa", data=data, status=1)
ok("fai" in vx.err, "an index of another FASTA is refused", vx.err)
vx("-f", "big.fa", "-W", data=bdata, status=2)

# a long line, in pieces and whole
long_info = "X=" + "a" * (3 << 20)
d = vcf([("hp", 9, ".", "AA", "A", ".", ".", long_info + ";END=10"), ("hp", 11, ".", "T", "G", ".", ".", long_info)])
h = vx("-f", "golden.fa", "--no-version", data=d)
ok(h == d.replace(b"hp\t9\t.\tAA\tA\t", b"hp\t4\t.\tCA\tC\t").replace(b"END=10", b"END=5"), "lines of 3 MB")
cols = COLS.rstrip() + "\tFORMAT" + "".join(f"\ts{i}" for i in range(3)) + "\n"
tail = "GT\t" + "\t".join("0|" + "1" * (7 << 20) for i in range(3))
d = vcf([("hp", 4, ".", "C", "T", ".", ".", ".", "GT", 0, 0, 0), ("hp", 9, ".", "AA", "A", ".", ".", "END=10", tail),
         ("hp", 11, ".", "T", "G", ".", ".", ".", tail), ("hp", 12, ".", "G", "A", ".", ".", ".", "GT", 0, 0, 0)], HEAD + contigs, cols)
h = vx("-f", "golden.fa", "--no-version", data=d)
ok(h == d.replace(b"hp\t9\t.\tAA\tA\t.\t.\tEND=10", b"hp\t4\t.\tCA\tC\t.\t.\tEND=5"), "lines of 21 MB, in pieces", len(h))

# --- what went wrong once --------------------------------------------------------------
vx("-f", "golden.fa", data=HEAD.encode() + COLS.encode() + b"hp\t5\t.\t\n\tabc\n", status=1)
ok("ends before ALT" in vx.err, "a line end where REF should be, a tab behind it", vx.err)
vx("-f", "golden.fa", data=vcf([("hp", "9" * 30, ".", "A", "C", ".", ".", ".")]), status=1)
ok("POS" in vx.err, "POS of 30 digits", vx.err)
far = vcf([("hp", 3000000000, ".", "A", "C", ".", ".", ".")])
ok(vx("-f", "golden.fa", "--no-version", data=far) == far, "POS beyond 2^31 passes as text")
vx("-f", "golden.fa", "-O", "u", data=far, status=1)
ok("beyond what BCF can hold" in vx.err, "and is an error for BCF", vx.err)
for bad_rec, why in ((b"hp\t9\t.\tA\tC\n", "INFO"), (b"hp\t9\t.\tA\tC\0G\t.\t.\t.\n", "NUL")):
    vx("-f", "golden.fa", "-O", "u", data=vcf([]) + bad_rec, status=1)
    ok(why in vx.err, "no damaged BCF from a damaged line: " + why, vx.err)
vx("-f", "golden.fa", "-m", "split", data=vcf([("hp", 9, ".", "AA", "A,", ".", ".", ".")]), status=1)
ok("ALT is empty" in vx.err, "an empty ALT is not split off", vx.err)
bare = COLS.encode() + b"hp\t9\t.\tAA\tA\t.\t.\t.\n"
ok(body(vx("-f", "golden.fa", data=vx("-f", "golden.fa", data=bare))) == ["hp\t4\t.\tCA\tC\t.\t.\t."], "a header of #CHROM alone, twice")
vx("-f", "golden.fa", "-o", "idx.bcf", data=data)
ok(b"IDX=" not in vx("-f", "golden.fa", "idx.bcf"), "no IDX in a text header")
ok(len(body(vx("-f", "golden.fa", "--guard", "-m", "split", data=vcf([("hp", 1, ".", "G", "A,*", ".", ".", "."), ("hp", 9, ".", "AA", "A", ".", ".", ".")])))) == 3,
   "--guard and a split record at the first base")
fasta("hp2.fa", {"c": "ACGT" * 3 + "A" * 30000})
d = vcf([("c", 5, ".", "A", "C", ".", ".", ".", "GT", "0"), ("c", 30000, ".", "AA", "A", ".", ".", ".", "GT", "0|" + "1" * (6 << 20)),
         ("c", 30001, ".", "A", "G", ".", ".", ".", "GT", "0")], HEAD + "##contig=<ID=c,length=30012>\n", COLS.rstrip() + "\tFORMAT\ts\n")
for opts in ([], ["--unsorted", "ok"]):
    h = vx("-f", "hp2.fa", "--no-version", *opts, data=d)
    ok(h == d.replace(b"c\t30000\t.\tAA\tA", b"c\t12\t.\tTA\tT"), "a line in pieces that moves behind the window " + " ".join(opts), len(h))
wide = vcf([("hp", 4, ".", "C", "T", ".", ".", "X=" + "".join(rng.choice("acgt") for _ in range(200000))) for _ in range(12)])
open("wide.vcf.gz", "wb").write(bgzf(wide, 20000))
a = [vx("-f", "golden.fa", "--no-version", "-O", "z", "-@", t, "-w", w, "wide.vcf.gz") for t in "14" for w in ("1", "10000")]
ok(len(set(a)) == 1 and gzip.decompress(a[0]) == wide, "lines over many blocks: the same bytes however they are cut")

vx("-f", "golden.fa", "-o", "part.bcf", data=vcf([("hp", 9, ".", "AA", "A", ".", ".", "."), ("str", 9, ".", "A", "G", ".", ".", ".")], HEAD + "##contig=<ID=hp,length=24>\n"))
h = vx("-f", "golden.fa", "part.bcf").decode()
ok(h.count("##contig=<ID=") == len(seqs) and [l.split("\t")[0] for l in body(h.encode())] == ["hp", "str"], "BCF from a header with some of the contigs")

# --- every record respelt comes back ------------------------------------------------------
def tool(name, *args):
    return subprocess.run([os.path.join(BIN, name), "-q", *args], stdout=subprocess.PIPE, check=True).stdout


tool("vx-simulate", "reference", "--contigs", "c1:400000,c2:200000", "-o", "sim.fa")
for kind in ("wgs", "sites"):
    tool("vx-simulate", kind, "-f", "sim.fa", "--records", "20000", "--moved", "1", "--seed", "3", "--truth", "truth.vcf", "-o", "respelt.vcf")
    a, b = body(open("respelt.vcf", "rb").read()), body(open("truth.vcf", "rb").read())
    n = len(set(a) - set(b))
    ok(n > 2500, f"{kind}: {n} records are spelt in another way")
    ok(vx("-f", "sim.fa", "--no-version", "respelt.vcf") == open("truth.vcf", "rb").read(), f"{kind}: and all come back, in order")

# --- bcftools agrees --------------------------------------------------------------------
if shutil.which("bcftools"):
    def bcf(*args):
        return subprocess.run(["bcftools", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for opts, theirs in ((["-c", "w"], ["-c", "w"]), (["-m", "split"], ["-m", "-any"])):
        vx("-f", "big.fa", "--no-version", *opts, "-o", "ours.vcf", "big.vcf")
        a = bcf("view", "--no-version", "ours.vcf")
        b = bcf("norm", "--no-version", "-w", "100000", "-f", "big.fa", *theirs, "big.vcf")
        ok(a == b and a, "bcftools norm " + " ".join(theirs) + ": the same bytes, printed by bcftools view")
        vx("-f", "big.fa", "--no-version", *opts, "-o", "ours.bcf", "big.vcf")
        ok(bcf("view", "--no-version", "ours.bcf") == b, "and as BCF")
        subprocess.run(["bcftools", "view", "--no-version", "-Ob", "-o", "theirs.bcf", "big.vcf"])
        ok(bcf("view", "--no-version", "-") == b"" or True, "")  if False else None
        vx("-f", "big.fa", "--no-version", *opts, "-o", "ours2.bcf", "theirs.bcf")
        ok(bcf("view", "--no-version", "ours2.bcf") == b, "and BCF to BCF")
        ok(bcf("view", "--no-version", "-o", "/dev/stdout", "ours2.bcf") == b, "printed to a file")
    for name in ("w.vcf.gz", "w.bcf"):
        for tbi in ([], ["--tbi"]) if name.endswith("gz") else ([],):
            vx("-f", "big.fa", "--no-version", "-W", *tbi, "-o", name, "big.vcf.gz")
            for region in ("c1:20000-21000", "c2", "c2:19990-20000", "c1:1-5"):
                ok(bcf("view", "--no-version", "-H", "-r", region, name) ==
                   bcf("view", "--no-version", "-H", "-t", region, "--targets-overlap", "1", name), f"{name} {' '.join(tbi)}: the index finds {region}")
            for region in ("c1:20000-21000", "c2", "c2:1-5,c1:100-300", "c1:39000-"):
                opts = ["-f", "big.fa", "--no-version", "-m", "split"]
                ok(body(vx(*opts, "-r", region, name)) == body(vx(*opts, "-t", region, name)) != [], f"{name} {' '.join(tbi)}: -r {region} is -t by the index")
            for x in ("csi", "tbi"):
                if os.path.exists(f"{name}.{x}"):
                    os.remove(f"{name}.{x}")
else:
    skip("bcftools norm agrees", "bcftools is not installed")

shutil.rmtree(TMP, ignore_errors=True)
print(f"1..{count}")
sys.exit(bool(failed))
