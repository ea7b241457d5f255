"""vx-gnomad on real releases: every value of every INFO field against the source's text (../shared/data/variants)."""
import csv, os, shutil, struct, sys

import tap
from tap import BIN, SHARED, TMP

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gnomad_model as gm
from gnomad_model import Model, Run, differing, info_of, ok, part, read, vcf, write

DATA = os.path.join(SHARED, "data", "variants")
if not os.path.isdir(DATA):
    print("1..0 # SKIP the reference data is not here")
    sys.exit(0)
BIN = os.path.abspath(BIN)
ONLY = sys.argv[2:]
os.chdir(TMP)


def gn(*args, data=None, status=0):
    return Run(BIN, "vx-gnomad", "-q", *args, data=data, status=status)


def build(db, *args):
    return Run(BIN, "vx-gnomad", "index", "-q", *args, "-o", db)


def lines(text):
    return [l for l in text.split("\n") if l and l[0] != "#"]


def stripped(text, keep=8):
    """The records without INFO, under the contigs of their header alone."""
    head = "".join(l + "\n" for l in text.split("\n") if l.startswith("##contig"))
    return vcf([l.split("\t")[:7] + ["."] for l in lines(text)], head)


def whole(name, path, release=None, opts=()):
    """Builds with every declared field, looks the file's own records up, and verifies."""
    text = read(path)
    names = list(gm.declared(text))
    r = build("all.vxg", *opts, "--fields", ",".join(names), path)
    if not ok(r.status == 0, f"{name}: a database of {len(names)} fields", r.err):
        return
    m = Model(text, fields=names)
    src = stripped(text)
    r = gn("-d", "all.vxg", data=src.encode("latin-1"))
    bad = differing(m, r.body, lines(src))
    ok(not bad and len(r.body) == len(lines(text)) > 0, f"{name}: {len(r.body)} records, every value is the source's text", bad or r.err)
    out = [gn("-d", "all.vxg", *o, data=src.encode("latin-1")).out for o in (["-@", "1"], ["-@", "2", "-M", "80M"])]
    ok(out[0] == out[1] == r.out, f"{name}: the same under -M 80M")
    r = Run(BIN, "vx-gnomad", "verify", "-q", "all.vxg", path)
    ok(r.status == 0, f"{name}: verify", r.err)
    if release:
        i = Run(BIN, "vx-gnomad", "info", "all.vxg").out.decode()
        ok(release in i, f"{name}: is {release}", i[:200])
    # by default, and with what is there already in INFO
    if "AF" in m.decl:
        build("def.vxg", *opts, path)
        d = Model(text)
        r = gn("-d", "def.vxg", data=text.encode("latin-1"))
        ok(not differing(d, r.body, lines(text)), f"{name}: the default fields, beside the file's own INFO", differing(d, r.body, lines(text)))
    print(f"# {name}: {len(lines(text))} records, {os.path.getsize('all.vxg')} bytes")


def slices():
    G = DATA + "/gnomad_slices/"
    whole("v2.1 exomes", G + "freqs__grch37__v2.1__gnomad-exomes.1.vcf.bgz", "gnomAD v2.1")
    whole("v3.1 genomes", G + "gnomad-nuclear__example-genomes-grch38__v3.1__gnomad-genomes.vcf.bgz", "gnomAD v3.1")
    whole("v4.0 genomes", G + "freqs__grch38__v4.0__gnomad-genomes.X.vcf.bgz", "gnomAD v4")
    whole("v3.1 mtDNA", G + "gnomad-mtdna__example__gnomad-mtdna.vcf.bgz")
    whole("HelixMTdb", G + "helixmtdb__example__helixmtdb.vcf.bgz")
    whole("dbSNP", G + "dbsnp__example__dbsnp.brca1.vcf.bgz")


def chr22():
    H = DATA + "/chr22_hg38/"
    gnomad = H + "derived/gnomAD.r2.1.1.GRCh38.PASS.AC.AF.only.chr22_region.norm_split.vcf.gz"
    raw = H + "gnomAD.r2.1.1.GRCh38.PASS.AC.AF.only.chr22_region.vcf.gz"
    whole("chr22", raw)
    whole("chr22, sampled", H + "gnomAD.r2.1.1.GRCh38.PASS.AC.AF.only.chr22_randomsubsample.vcf.gz")
    expected = lines(read(H + "derived/dbsnp_with_gnomad_AF.expected.vcf.gz"))
    f32 = lambda x: struct.pack("f", float(x))
    for db, query, opts in ((gnomad, H + "derived/dbsnp_146.hg38.chr22_region.norm_split.vcf.gz", []),
                            (raw, H + "derived/dbsnp_146.hg38.chr22_region.norm_split.vcf.gz", ["-f", H + "derived/chr22_hg38_16.57-16.61M_padded.fa.gz"])):
        build("c22.vxg", *opts, "--fields", "AC,AF", db)
        r = gn("-d", "gnomAD=c22.vxg", *opts, query)
        n = bad = 0
        known = {tuple(l.split("\t")[i] for i in (1, 3, 4)): info_of(l) for l in expected if "gnomAD_AC" in l}
        key = lambda l: (l.split("\t")[:1], int(l.split("\t")[1]), l.split("\t")[2:7], l)
        for have, want in zip(sorted(r.body, key=key), sorted(expected, key=key)):
            a, b = info_of(have), info_of(want)
            n += "gnomAD_AC" in b
            # bcftools annotates one of several records of an allele
            allele = tuple(want.split("\t")[i] for i in (1, 3, 4))
            if "gnomAD_AC" not in b and allele in known:
                b = known[allele]
            if have.split("\t")[:7] != want.split("\t")[:7] or a.get("gnomAD_AC") != b.get("gnomAD_AC") or \
                    ("gnomAD_AF" in a) != ("gnomAD_AF" in b) or "gnomAD_AF" in a and f32(a["gnomAD_AF"]) != f32(b["gnomAD_AF"]):
                bad += 1
                if bad < 3:
                    print("#", have[:150], "|", want[:150])
        ok(len(r.body) == len(expected) and n == 1108 and not bad, f"chr22: dbSNP with gnomAD's AC and AF as expected {' '.join(opts[:1])}", (len(r.body), n, bad))
    # not split, not normalised: aligned for the look-up only
    r = gn("-d", "gnomAD=c22.vxg", "-f", H + "derived/chr22_hg38_16.57-16.61M_padded.fa.gz", H + "dbsnp_146.hg38.chr22_region.vcf.gz")
    src = lines(read(H + "dbsnp_146.hg38.chr22_region.vcf.gz"))
    ok([l.split("\t")[:7] for l in r.body] == [l.split("\t")[:7] for l in src], "chr22: the records stay as they are", len(r.body))
    found = sum(s.startswith("FOUND") for l in r.body for s in info_of(l)["gnomAD_status"].split(","))
    ok(found >= 1108, "chr22: and as many are found", found)


def vcfanno():
    V = DATA + "/vcfanno_example/"
    whole("ExAC", V + "exac.vcf.gz", opts=["--lists", "whole"])
    text, q = read(V + "exac.vcf.gz"), read(V + "query.vcf.gz")
    names = list(gm.declared(text))
    m = Model(text, fields=names, prefix="exac")
    build("exac.vxg", "--lists", "whole", "--fields", ",".join(names), V + "exac.vcf.gz")
    r = gn("-d", "exac=exac.vxg", V + "query.vcf.gz")
    bad = differing(m, r.body, lines(q))
    n = sum("FOUND" in info_of(l)["exac_status"] for l in r.body)
    ok(not bad and len(r.body) == 337 and n == 6, "ExAC for 1000 Genomes: as the model has it", bad or (len(r.body), n))


def clinvar():
    C = DATA + "/clinvar_2016-09/"
    text = read(C + "clinvar.vcf.gz")
    whole("ClinVar 2016 as a database", C + "clinvar.vcf.gz")
    decl = "".join(f'##INFO=<ID={k},Number=A,Type={t},Description="x">\n' for k, t in
                   (("AC", "Integer"), ("AN", "Integer"), ("AF", "Float"), ("POPMAX", "String"), ("AF_POPMAX", "Float"), ("AC_NFE", "Integer"), ("AN_NFE", "Integer"), ("AF_NFE", "Float")))
    names = list(gm.declared(decl))
    for name, f, query in (("genomes", "clinvar_alleles_with_gnomad_genomes.multi.b37.tsv.gz", "clinvar_alleles.multi.b37.vcf.gz"),
                           ("exomes", "clinvar_alleles_with_gnomad_exomes_example_750_rows.single.b37.tsv", "clinvar.vcf.gz")):
        table = list(csv.DictReader(read(C + f).split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))
        recs = []
        for t in table:
            info = ";".join(f"{k}={t[k]}" for k in names if t.get(k) not in (None, "", "NA"))
            if t.get("AC") not in (None, "", "NA"):
                recs.append((t["chrom"], t["pos"], ".", t["ref"], t["alt"], ".", (t.get("Filter") or ".").replace("|", ";").replace(",", ";"), info))
        sites = vcf(recs, decl)
        m = Model(sites, fields=names)
        build("t.vxg", "--fields", ",".join(names), write("t.vcf", sites))
        q = stripped(read(C + query))
        r = gn("-d", "t.vxg", data=q.encode("latin-1"))
        bad = differing(m, r.body)
        ok(not bad and len(r.body) == len(lines(q)), f"ClinVar against gnomAD {name}: {len(recs)} rows", bad or len(r.body))
        asked = vcf([(t["chrom"], t["pos"], ".", t["ref"], t["alt"], ".", ".", ".") for t in table])
        r = gn("-d", "t.vxg", data=asked)
        bad = [(t["chrom"], t["pos"]) for t, l in zip(table, r.body) if t.get("AC") not in (None, "", "NA") and info_of(l).get("gnomad_AF") != t["AF"]]
        ok(not bad, f"ClinVar against gnomAD {name}: the table's frequencies", bad[:3])


for f in (slices, chr22, vcfanno, clinvar):
    if not ONLY or f.__name__ in ONLY:
        part(f)
shutil.rmtree(TMP, ignore_errors=True)
gm.done()
