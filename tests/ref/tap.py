"""What the reference tests share: TAP lines, running tools, reading tables."""
import gzip, os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.normpath(os.path.join(HERE, "..", "..", "..", "shared"))
DATA = os.path.join(SHARED, "data", "singlecell")
REF = os.path.join(SHARED, "ref", "singlecell")
BIN = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "release", "bin")
TMP = tempfile.mkdtemp(prefix="ovx-ref.")
count = failed = 0


def ok(good, what, got=""):
    global count, failed
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {what}" + (f" ({got})" if got != "" else ""), flush=True)
    failed += not good
    return bool(good)


def skip(what, why):
    global count
    count += 1
    print(f"ok {count} - {what} # SKIP {why}", flush=True)


def done():
    import shutil
    shutil.rmtree(TMP, ignore_errors=True)
    print(f"1..{count}")
    sys.exit(bool(failed))


def need(*modules):
    """Skips the whole file when a module or the reference data is missing."""
    missing = []
    for m in modules:
        try:
            __import__(m)
        except ImportError:
            missing.append(m)
    if missing:
        print(f"1..0 # SKIP Python lacks {', '.join(missing)} (scripts/oracles installs them)")
        sys.exit(0)
    if not os.path.isdir(REF):
        print("1..0 # SKIP the reference data are not here")
        sys.exit(0)


def path(name):
    return os.path.join(TMP, name)


def run(*args, stdin=None, out=None, fails=None):
    """Runs a tool; returns its standard output (bytes), standard error and status."""
    args = [os.path.join(BIN, args[0])] + [str(a) for a in args[1:]]
    if out:
        args += ["-o", path(out)]
    r = subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if fails is None and r.returncode:
        print(f"# {' '.join(args)}: {r.returncode} {r.stderr.decode(errors='replace').strip()}")
    return r


def dump(file, what):
    """A section as (names, list of lists of strings)."""
    text = run("ovx-dump", "-p", what, path(file)).stdout.decode()
    rows = [l.split("\t") for l in text.splitlines()]
    return rows[0], rows[1:]


def column(file, what, kind=float):
    return [kind(r[1]) for r in dump(file, what)[1]]


def matrix(file, what):
    import numpy as np
    return np.array([[float(v) for v in r[1:]] for r in dump(file, what)[1]])


def names(file, axis):
    return [r[0] for r in dump(file, axis)[1]]


def table(file):
    """A TSV (gzipped) as {column: list of strings}."""
    with gzip.open(file, "rt") as f:
        head = f.readline().rstrip("\n").split("\t")
        rows = [l.rstrip("\n").split("\t") for l in f]
    return {h: [r[i] for r in rows] for i, h in enumerate(head)}


def floats(t, c):
    import numpy as np
    return np.array([float(v) for v in t[c]])
