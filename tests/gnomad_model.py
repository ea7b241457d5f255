"""What the tests of vx-gnomad share: TAP, running tools, and a model of what a look-up must answer.

The model is a dict of minimal alleles: a sites file goes in as text, and out comes, for each record, the INFO that it must
get.  It shares no line with the program."""
import gzip, json, os, re, subprocess, sys, tempfile, traceback

ACGT = set("ACGT")
state = {"n": 0, "failed": 0}


def ok(good, what, got=""):
    state["n"] += 1
    print(f"{'' if good else 'not '}ok {state['n']} - {what}" + (f" ({str(got)[:400]})" if got != "" and not good else ""), flush=True)
    state["failed"] += not good
    return bool(good)


def skip(what, why):
    state["n"] += 1
    print(f"ok {state['n']} - {what} # SKIP {why}", flush=True)


def done():
    print(f"1..{state['n']}")
    sys.exit(bool(state["failed"]))


def part(f):
    """Runs a part of the tests; an exception there is a failure of it, not the end of the others."""
    try:
        f()
    except Exception:
        ok(False, f"{f.__name__} runs to its end", traceback.format_exc().replace("\n", " | ")[-380:])


class Run:
    """A tool's run: .out, .err, .status."""

    def __init__(self, bin_dir, *args, data=None, status=0, env=None):
        args = [str(a) for a in args]
        p = subprocess.run([os.path.join(bin_dir, args[0])] + args[1:], input=data.encode() if isinstance(data, str) else data,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, timeout=600)
        self.out, self.err, self.status = p.stdout, p.stderr.decode(errors="replace"), p.returncode
        if status is not None and p.returncode != status:
            ok(False, " ".join(args)[:150], f"exit {p.returncode}, not {status}: {self.err.strip()[:250]}")

    @property
    def body(self):
        return [l for l in self.out.decode("latin-1").split("\n") if l and not l.startswith("#")]

    @property
    def head(self):
        return [l for l in self.out.decode("latin-1").split("\n") if l.startswith("#")]


def read(path):
    b = open(path, "rb").read()
    return (gzip.decompress(b) if b[:2] == b"\x1f\x8b" else b).decode("latin-1")


def write(path, text):
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode("latin-1"))
    return path


COLS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def vcf(recs, head="", version="##fileformat=VCFv4.3\n"):
    return version + head + COLS + "".join("\t".join(map(str, r)) + "\n" for r in recs)


def query(*recs, head="", info="."):
    """Records contig:pos REF ALT as a VCF."""
    out = []
    for i, r in enumerate(recs):
        where, ref, alt = r.split()
        c, p = where.rsplit(":", 1)
        out.append((c, p, f"q{i + 1}", ref, alt, ".", ".", info))
    return vcf(out, head)


def info_of(line):
    """INFO of a line, or of an INFO column, as a dict; a flag is True."""
    text = line.split("\t")[7] if "\t" in line else line
    return {k: v if eq else True for k, eq, v in (x.partition("=") for x in text.split(";")) if k != "."}


def trim(pos, ref, alt):
    ref, alt = ref.upper(), alt.upper()
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        ref, alt, pos = ref[1:], alt[1:], pos + 1
    return pos, ref, alt


def align(pos, ref, alt, seq):
    """Left-aligned and minimal, on a contig's sequence."""
    ref, alt = ref.upper(), alt.upper()
    if ref == alt:
        return trim(pos, ref, alt)
    while ref[-1] == alt[-1] and (len(ref) > 1 and len(alt) > 1 or pos > 1):
        ref, alt = ref[:-1], alt[:-1]
        if not ref or not alt:
            pos -= 1
            ref, alt = seq[pos - 1].upper() + ref, seq[pos - 1].upper() + alt
    return trim(pos, ref, alt)


def folded(contig):
    c = re.sub("^chr", "", contig, flags=re.I)
    return "MT" if c.upper() in ("M", "MT") else c


def declared(text):
    """INFO declarations of a header, in order: ID -> (Number, Type)."""
    out = {}
    for l in text.split("\n"):
        if not l.startswith("#"):
            break
        m = re.match(r'##INFO=<ID=([^,]+),Number=([^,]+),Type=([^,>]+)', l)
        if m:
            out.setdefault(m[1], (m[2], m[3]))
    return out


CANON = [("AF", ["AF", "AF_joint"]), ("AC", ["AC", "AC_joint"]), ("AN", ["AN", "AN_joint"]), ("nhomalt", ["nhomalt", "nhomalt_joint"]),
         ("grpmax", ["grpmax", "popmax", "grpmax_joint"]), ("AF_grpmax", ["AF_grpmax", "AF_popmax", "AF_grpmax_joint"]),
         ("faf95max", ["fafmax_faf95_max", "faf95_popmax", "fafmax_faf95_max_joint"])]


class Model:
    """fields: list of NAME or (NAME, TAG); None = the defaults.  Sites may be several texts."""

    def __init__(self, *texts, fields=None, prefix="gnomad", seq=None):
        self.prefix, self.row, self.site, self.contig, self.seq = prefix, {}, set(), set(), seq
        self.decl = declared(texts[0])
        if fields is None:
            fields = [(n, t) for n, tags in CANON for t in [x for x in tags if x in self.decl][:1]]
        self.field = [(f, f) if isinstance(f, str) else f for f in fields]
        self.bad = self.trimmed = self.same = self.differ = 0
        for t in texts:
            for l in t.split("\n"):
                if l and l[0] != "#":
                    self.add(l.rstrip("\r").split("\t"))

    def minimal(self, contig, pos, ref, alt):
        if self.seq:
            s = self.seq.get(contig) or self.seq.get(folded(contig))
            if s and pos + len(ref) - 1 <= len(s) and s[pos - 1:pos - 1 + len(ref)].upper() == ref.upper():
                return align(pos, ref, alt, s)
        return trim(pos, ref, alt)

    def add(self, f):
        info = info_of(f[7])
        for i, alt in enumerate(f[4].split(",")):
            if not (set(f[3].upper()) <= ACGT and set(alt.upper()) <= ACGT and alt):
                self.bad += 1
                continue
            key = (folded(f[0]), *self.minimal(f[0], int(f[1]), f[3], alt))
            self.trimmed += key[1:] != (int(f[1]), f[3].upper(), alt.upper())
            val = {"FILTER": None if f[6] == "." else f[6].replace(";", "&")}
            for name, tag in self.field:
                val[name] = self.value(info.get(tag), tag, i, len(f[4].split(",")))
            if key in self.row:
                if self.row[key] == val:
                    self.same += 1
                else:
                    self.differ += 1
                continue
            self.row[key] = val
            self.site.add(key[:2])
            self.contig.add(key[0])

    def value(self, v, tag, i, n_alt):
        number, kind = self.decl[tag]
        if kind == "Flag" or number == "0":
            return "0" if v is None else "1"
        if v is None or v is True:
            return None
        part = v.split(",")
        # a list of another length is kept whole (--lists whole)
        if number in ("A", "R") and len(part) == n_alt + (number == "R"):
            if number == "R":
                v = part[0] + "," + part[i + 1]
                v = "." if v == ".,." else v
            else:
                v = part[i]
        # a counter of 32 bits that ran over
        if kind == "Integer" and number in ("A", "1") and v.isdigit() and 2**31 - 1 <= int(v) < 2**53:
            return None
        return None if v == "." else v

    def find(self, contig, pos, ref, alt):
        if not (alt and set(ref.upper()) <= ACGT and set(alt.upper()) <= ACGT) or ref.upper() == alt.upper():
            return "UNSUPPORTED", {}
        c = folded(contig)
        if c not in self.contig:
            return "NO_CONTIG", {}
        key = (c, *self.minimal(contig, pos, ref, alt))
        if key in self.row:
            v = self.row[key]
            return "FOUND" if v["FILTER"] in (None, "PASS") else "FOUND_FILTERED", v
        return "SITE_ONLY" if key[:2] in self.site else "ABSENT", {}

    def tags(self, line):
        """Tag -> text that a record (a line, or its columns) must get."""
        f = line.split("\t") if isinstance(line, str) else line
        alts = f[4].split(",")
        hit = [self.find(f[0], int(f[1]), f[3], a) for a in alts]
        out = {self.prefix + "_status": ",".join(h[0] for h in hit)}
        for name, tag in self.field + [("FILTER", "FILTER")]:
            v = [h[1].get(name) for h in hit]
            if all(x is None for x in v):
                continue
            if len(alts) > 1:
                v = [x and x.replace(",", "%2C") for x in v]
            out[f"{self.prefix}_{name}"] = ",".join("." if x is None else x for x in v)
        return out


def differing(model, lines, source=None, other=()):
    """Records whose tags are not the model's: (line, key, have, want), at most five.  source: the lines that went in (then the rest must
    be unchanged).  other: prefixes of other databases."""
    bad = []
    models = model if isinstance(model, list) else [model]
    for i, l in enumerate(lines):
        f = l.split("\t")
        have = info_of(f[7])
        want = {}
        for m in models:
            want.update(m.tags(f))
        got = {k: v for k, v in have.items() if any(k.startswith(m.prefix + "_") for m in models)}
        if got != want:
            k = next(k for k in {**want, **got} if got.get(k) != want.get(k))
            bad.append((" ".join(f[:2] + f[3:5])[:80], k, got.get(k), want.get(k)))
        if source is not None:
            s = source[i].split("\t")
            s_info = [x for x in s[7].split(";") if x != "." and not any(x.startswith(m.prefix + "_") for m in models)]
            r_info = [x for x in f[7].split(";") if x != "." and not any(x.startswith(m.prefix + "_") for m in models)]
            if s[:7] + s[8:] != f[:7] + f[8:] or s_info != r_info:
                bad.append((" ".join(f[:5])[:80], "the rest of the line changed"))
        if len(bad) >= 5:
            break
    return bad
