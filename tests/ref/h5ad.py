#!/usr/bin/env python3
"""h5ad.py BINDIR - TAP: ovx-import and ovx-export against what anndata reads from the same files.

Needs anndata, h5py, numpy, scipy, pandas; skips without.  The files of ../shared are used when they
are there; other objects are written on the spot."""
import glob, hashlib, os, subprocess, sys, warnings

warnings.filterwarnings("ignore")
from tap import BIN, SHARED as shared, done, path, skip
import tap


def ok(good, name, why=""):
    if not tap.ok(good, name):
        for line in str(why).splitlines()[:8]:
            print("#", line)


try:
    import anndata as ad, h5py, numpy as np, pandas as pd, scipy.sparse as sp
except ImportError as e:
    skip("h5ad", f"{e.name} is not installed")
    done()

bindir = os.path.abspath(BIN)


def run(tool, *args, stdin=None):
    p = subprocess.run([os.path.join(bindir, tool), *map(str, args)], stdin=stdin, capture_output=True)
    return p.returncode, p.stdout, p.stderr.decode("utf-8", "replace")


def trip(src, *args, out=()):
    """src imported and exported; the object, or the message."""
    s, d = path("trip.ovx"), path("trip.h5ad")
    for f in (s, d):
        if os.path.exists(f):
            os.unlink(f)
    code, _, err = run("ovx-import", src, "-o", s, *args)
    if code:
        return None, f"ovx-import {code}: {err}"
    notes = err
    code, _, err = run("ovx-export", s, "-o", d, *out)
    if code:
        return None, f"ovx-export {code}: {err}"
    return ad.read_h5ad(d), notes


def dense(x):
    return np.asarray(x.toarray() if sp.issparse(x) else x)


def same_matrix(a, b):
    a, b = dense(a), dense(b)
    return a.shape == b.shape and np.array_equal(a.astype(float), b.astype(float), equal_nan=True)


def as_text(v):
    return [None if pd.isna(x) else str(x) for x in v]


def same_column(a, b):
    """Ours against the source's: values, missing ones, categories and their order."""
    if isinstance(b.dtype, pd.CategoricalDtype):
        return (isinstance(a.dtype, pd.CategoricalDtype) and list(map(str, b.cat.categories)) == list(a.cat.categories)
                and list(a.cat.codes) == list(b.cat.codes) and a.cat.ordered == b.cat.ordered)
    if pd.api.types.is_bool_dtype(b.dtype):
        return pd.api.types.is_bool_dtype(a.dtype) and as_text(a) == as_text(b)
    if pd.api.types.is_integer_dtype(b.dtype):
        return pd.api.types.is_integer_dtype(a.dtype) and as_text(a) == as_text(b)
    if pd.api.types.is_float_dtype(b.dtype):
        return a.dtype.itemsize >= b.dtype.itemsize and np.array_equal(a, b, equal_nan=True)
    return as_text(a) == as_text(b)


def differences(a, b, x=None, var=None, not_carried=(), lost_uns=()):
    """What a (ours) lacks of b (the source)."""
    bad = []
    x = b.X if x is None else x
    var = b.var if var is None else var
    if list(a.obs_names) != list(map(str, b.obs_names)):
        bad.append("obs_names")
    if list(a.var_names) != list(map(str, var.index)):
        bad.append("var_names")
    if (a.X is None) != (x is None) or (x is not None and not same_matrix(a.X, x)):
        bad.append("X")
    for box, frame in (("obs", b.obs), ("var", var)):
        ours = getattr(a, box)
        for c in frame:
            if f"{box}/{c}" in not_carried:
                continue
            if c not in ours or not same_column(ours[c], frame[c]):
                bad.append(f"{box}/{c}: {ours[c].dtype if c in ours else 'absent'} for {frame[c].dtype}")
    for box in ("obsm", "varm", "obsp", "varp"):
        for k, v in getattr(b, box).items():
            if f"{box}/{k}" in not_carried:
                continue
            if k not in getattr(a, box) or not same_matrix(getattr(a, box)[k], v):
                bad.append(f"{box}/{k}")
    def walk(ours, theirs, at):
        for k, v in theirs.items():
            if f"{at}/{k}" in lost_uns:
                continue
            if k not in ours:
                bad.append(f"{at}/{k}: absent")
            elif isinstance(v, dict):
                walk(ours[k], v, f"{at}/{k}")
            elif not np.array_equal(np.asarray(ours[k]), np.asarray(v)):
                bad.append(f"{at}/{k}: {ours[k]!r} for {v!r}"[:100])
    walk(a.uns, b.uns, "uns")
    return bad


def compare(name, src, *args, **kw):
    a, notes = trip(src, *args)
    if a is None:
        ok(False, name, notes)
        return None
    b = kw.pop("source", None) or ad.read_h5ad(src)
    bad = differences(a, b, **kw)
    ok(not bad, name, "\n".join(bad))
    return a


# --- real files ---------------------------------------------------------------
tenx = os.path.join(shared, "data", "singlecell", "tenx_formats")
if not os.path.isdir(tenx):
    skip("files of all generations", "no ../shared")
else:
    def read_10x(f, genome=None):
        with h5py.File(f) as h:
            g = h["matrix"] if "matrix" in h else h[genome or [k for k in h if "indptr" in h[k]][0]]
            t = lambda k: [x.decode() for x in g[k][:]]
            v3 = "features" in g
            m = sp.csr_matrix((g["data"][:], g["indices"][:], g["indptr"][:]), shape=tuple(g["shape"][:])[::-1])
            ids, names = (t("features/id"), t("features/name")) if v3 else (t("genes"), t("gene_names"))
            a = ad.AnnData(m.astype(np.float32), obs=pd.DataFrame(index=t("barcodes")), var=pd.DataFrame({"gene_ids": ids}, index=names))
            if v3:
                a.var["feature_types"] = pd.Categorical(t("features/feature_type"))
                a.var["genome"] = pd.Categorical(t("features/genome"))
                a = a[:, a.var.feature_types == "Gene Expression"].copy()
        a.var_names_make_unique()
        return a

    for f, genome in (("heart_1k_v2/filtered_gene_bc_matrices_h5.h5", None), ("scanpy_10x_data/1.2.0/filtered_gene_bc_matrices_h5.h5", None),
                      ("scanpy_10x_data/1.2.0/multiple_genomes.h5", "hg19_chr21"), ("scanpy_10x_data/1.2.0/multiple_genomes.h5", "another_genome"),
                      ("scanpy_10x_data/3.0.0/filtered_feature_bc_matrix.h5", None)):
        src = os.path.join(tenx, f)
        compare(f"10x {f} {genome or ''}", src, *(("--genome", genome) if genome else ()), source=read_10x(src, genome))
    code, _, err = run("ovx-import", os.path.join(tenx, "scanpy_10x_data/1.2.0/multiple_genomes.h5"))
    ok(code == 1 and "another_genome, hg19_chr21" in err, "several genomes: an error that lists them", err)

    versions = os.path.join(tenx, "h5ad_versions")
    lost = {"adata_v0.7.0.h5ad": ("obsm/df", "varm/df"), "adata_v0.7.8.h5ad": ("obsm/df", "varm/df")}
    for src in sorted(glob.glob(os.path.join(versions, "*.h5ad"))):
        f = os.path.basename(src)
        compare(f"h5ad {f}", src, not_carried=lost.get(f, ()), lost_uns=("uns/O_recarray",))
        b = ad.read_h5ad(src)
        for k in b.layers:
            a, why = trip(src, "--layer", k)
            ok(a is not None and same_matrix(a.X, b.layers[k]), f"h5ad {f} --layer {k}", why)
        if b.raw is not None:
            a, why = trip(src, "--raw")
            ok(a is not None and same_matrix(a.X, b.raw.X) and list(a.var_names) == list(b.raw.var_names) and
               all(same_column(a.var[c], b.raw.var[c]) for c in b.raw.var), f"h5ad {f} --raw", why)
        if b.uns.get("O_recarray") is not None:
            ok("uns/O_recarray is not carried" in run("ovx-import", src, "-o", path("x.ovx"))[2], f"h5ad {f}: what is not carried is named")
    kinds = sorted(glob.glob(os.path.join(shared, "ref", "singlecell", "h5ad", "kinds_*.h5ad")))
    for src in kinds:
        f = os.path.basename(src)
        compare(f"h5ad {f}", src, not_carried=("obsm/frame",), lost_uns=("uns/frame", "uns/sparse", "uns/rec", "uns/nan", "uns/none"))
        b = ad.read_h5ad(src)
        for k in b.layers:
            a, why = trip(src, "--layer", k)
            ok(a is not None and same_matrix(a.X, b.layers[k]), f"h5ad {f} --layer {k}", why)
        a, why = trip(src, "--raw")
        ok(a is not None and same_matrix(a.X, b.raw.X) and list(a.var_names) == list(b.raw.var_names), f"h5ad {f} --raw", why)
    src = os.path.join(shared, "data", "singlecell", "pbmc68k_reduced", "10x_pbmc68k_reduced.h5ad")
    a = compare("h5ad pbmc68k_reduced", src, lost_uns=("uns/rank_genes_groups/names", "uns/rank_genes_groups/scores"))
    check = os.path.join(shared, "ref", "singlecell", "make", "check_h5ad.py")
    p = subprocess.run([sys.executable, check, path("trip.h5ad"), "--against", src, "--keys", "obsm/X_pca,obsp/connectivities"], capture_output=True)
    ok(p.returncode == 0, "check_h5ad.py on what is written", p.stdout.decode() + p.stderr.decode())


# --- objects written here -------------------------------------------------------
rng = np.random.default_rng(5)


def some(n_obs=700, n_var=90, dtype=np.float32):
    x = sp.csr_matrix(rng.poisson(0.7, (n_obs, n_var)).astype(dtype))
    a = ad.AnnData(x, obs=pd.DataFrame(index=[f"c{i}" for i in range(n_obs)]), var=pd.DataFrame(index=[f"g{i}" for i in range(n_var)]))
    return a


def write(a, name="src.h5ad", **kw):
    a.write_h5ad(path(name), **kw)
    return path(name)


for form in (sp.csr_matrix, sp.csc_matrix, lambda m: m.toarray()):
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint16):
        a = some(dtype=dtype)
        x = a.X.copy()
        a.X = form(a.X)
        for comp in (None, "gzip", "lzf") if dtype == np.float32 else (None,):
            compare(f"{type(a.X).__name__} {np.dtype(dtype).name} {comp or ''}", write(a, compression=comp), source=a)

a = some()
x = a.X
x.data = rng.normal(size=x.nnz).astype(np.float32)
for i in range(0, 700, 3):
    s = slice(x.indptr[i], x.indptr[i + 1])
    p = rng.permutation(s.stop - s.start)
    x.indices[s], x.data[s] = x.indices[s][p], x.data[s][p]
x.has_sorted_indices = False
f = write(a)
want = ad.read_h5ad(f)
compare("unsorted indices, values that are no counts", f, source=want)
ok(ad.read_h5ad(path("trip.h5ad")).X.has_sorted_indices, "written with sorted indices")

a = some()
a.X = a.X.astype(np.float64) * np.pi
compare("doubles stay doubles", write(a), source=a)
a.X = a.X.astype(np.float64)
a.X.data[:] = 2.0 ** 24 + 1
compare("a count above 2^24", write(a), source=a)
a.X.data[:] = 1
a.X.data[7] = 0
compare("stored zeros", write(a), source=a)
f = write(a)
with h5py.File(f, "a") as h:
    for k, t in (("indices", "u1"), ("indptr", "i8")):
        v = h["X"][k][:]
        del h["X"][k]
        h["X"].create_dataset(k, data=v.astype(t))
compare("indices of one byte, indptr of eight", f, source=a)

a = some(300, 20)
o = a.obs
o["b"] = rng.random(300) < 0.5
for t in ("int8", "uint8", "int16", "int32", "uint32", "int64", "float16", "float32", "float64"):
    o[t] = rng.integers(0, 100, 300).astype(t) if t != "float16" else rng.integers(0, 100, 300).astype("float32")
o["u64"] = np.arange(300, dtype=np.uint64) + 2 ** 62
o["nan"] = np.where(rng.random(300) < 0.3, np.nan, 1.5)
o["Int"] = pd.array([None if i % 3 == 0 else -i for i in range(300)], dtype="Int64")
o["I8"] = pd.array([None if i % 4 == 0 else i % 100 for i in range(300)], dtype="Int8")
o["Bool"] = pd.array([None if i % 3 == 0 else i % 2 == 0 for i in range(300)], dtype="boolean")
o["text"] = [f"ä{i} {'' if i % 5 else 'x'}" for i in range(300)]
o["cat"] = pd.Categorical(rng.choice(["z", "a", "mé"], 300), categories=["z", "unused", "a", "mé"])
o["ord"] = pd.Categorical(np.where(rng.random(300) < 0.2, None, rng.choice(["lo", "hi"], 300)), categories=["lo", "hi"], ordered=True)
o["many"] = pd.Categorical([f"k{i % 200}" for i in range(300)])
a.var["empty"] = pd.Categorical([None] * 20, categories=["a"])
a.obsm["X_pca"] = rng.normal(size=(300, 3))
a.obsm["one"] = rng.normal(size=(300, 1)).astype(np.float32)
a.obsm["int"] = rng.integers(0, 9, (300, 2))
a.obsm["sparse"] = sp.csc_matrix(rng.poisson(0.3, (300, 4)).astype(float))
a.varm["PCs"] = rng.normal(size=(20, 3))
for k, form in (("csr", sp.csr_matrix), ("csc", sp.csc_matrix), ("dense", lambda m: m.toarray())):
    a.obsp[k] = form(sp.random(300, 300, 0.03, random_state=3, dtype=np.float64))
a.obsp["single"] = sp.random(300, 300, 0.03, "csr", random_state=4, dtype=np.float32)
a.varp["v"] = sp.csr_matrix(np.eye(20, k=1))
a.uns = dict(t="ü", i=7, big=2 ** 53 + 1, r=0.1, yes=True, no=False, a=np.arange(4), f=np.array([1.5, np.nan]), m=np.ones((2, 3)),
             e=np.array([], dtype=float), s=np.array(["p", "", "ä"], dtype=object), bools=np.array([True, False]), d=dict(x=dict(y=[1.0, 2.0]), z={}))
f = write(a)
b = ad.read_h5ad(f)
got = trip(f)[0]
bad = differences(got, b, lost_uns=("uns/f",)) if got is not None else ["no file"]
ok(not bad, "columns, embeddings, graphs and uns of every kind", "\n".join(bad))
ok(got is not None and np.array_equal(got.uns["f"], [1.5, np.nan], equal_nan=True), "uns: missing numbers in an array")
got = trip(f, out=("-O", "h5ad:1"))[0]
ok(got is not None and not differences(got, b, lost_uns=("uns/f",)), "the same deflated")

wide = some(5, 4)
wide.obs = pd.concat([wide.obs, pd.DataFrame(rng.normal(size=(5, 6000)), index=wide.obs_names, columns=[f"column{i:05d}" for i in range(6000)])], axis=1)
compare("6000 columns", write(wide), source=wide)
for shape in ((0, 5), (5, 0), (1, 1), (3, 1)):
    a = some(*shape)
    compare(f"{shape[0]} cells, {shape[1]} genes", write(a), source=a)

try:
    with ad.settings.override(allow_write_nullable_strings=True):
        a = some(30, 5)
        a.obs["s"] = pd.array([None if i % 3 == 0 else f"s{i}" for i in range(30)], dtype="string")
        a.obs_names = pd.Index(pd.array([f"c{i}" for i in range(30)], dtype="string"))
        f = write(a)
    got, why = trip(f)
    ok(got is not None and list(got.obs_names) == list(a.obs_names) and as_text(got.obs["s"]) == as_text(a.obs["s"]), "nullable strings", why)
except Exception as e:
    skip("nullable strings", f"this anndata does not write them ({type(e).__name__})")

# anndata 0.6: tables of compounds, categories in uns
f = path("old.h5ad")
with h5py.File(f, "w") as h:
    h.create_dataset("obs", data=np.array([(b"c1", 1, 0, 2.5), (b"c2", 0, 1, np.nan), (b"c3", -1, 1, 0)],
                     dtype=[("index", "S5"), ("lab", "i1"), ("flag", "?"), ("f", "f4")]))
    h.create_dataset("var", data=np.array([(b"g1",), (b"g2",)], dtype=[("index", "S5")]))
    h.create_dataset("obsm", data=np.array([([1, 2],), ([3, 4],), ([5, 6],)], dtype=[("X_pca", "f4", (2,))]))
    h.create_dataset("uns/lab_categories", data=np.array([b"A", b"B"]))
    h.create_dataset("uns/n", data=np.array([5]))
    h.create_dataset("raw.X", data=np.arange(9.0).reshape(3, 3))
    h.create_dataset("raw.var", data=np.array([(b"r1",), (b"r2",), (b"r3",)], dtype=[("index", "S5")]))
    h.create_dataset("X", data=np.array([[1, 0], [0, 2], [3, 4.5]], dtype="f4"))
got, why = trip(f)
ok(got is not None and list(got.obs_names) == ["c1", "c2", "c3"] and as_text(got.obs["lab"]) == ["B", "A", None] and
   list(got.obs["flag"]) == [False, True, True] and same_matrix(got.obsm["X_pca"], np.array([[1, 2], [3, 4], [5, 6]])) and
   same_matrix(got.X, np.array([[1, 0], [0, 2], [3, 4.5]])) and list(got.uns["n"]) == [5], "tables of compounds", why)
got, why = trip(f, "--raw")
ok(got is not None and same_matrix(got.X, np.arange(9.0).reshape(3, 3)) and list(got.var_names) == ["r1", "r2", "r3"], "raw.X and raw.var", why)

# --- what the line of tools makes --------------------------------------------------
tools = all(os.path.exists(os.path.join(bindir, t)) for t in ("ovx-simulate", "ovx-normalize", "ovx-scale", "ovx-dump"))
if not tools:
    skip("normalised and scaled layers", "not all tools are built")
else:
    s = path("sim.ovx")
    run("ovx-simulate", "--cells", 1500, "--genes", 200, "-o", path("0.ovx"))
    c1 = run("ovx-normalize", path("0.ovx"), "-o", path("1.ovx"))
    c2 = run("ovx-scale", path("1.ovx"), "-o", s)
    ok(c1[0] == 0 and c2[0] == 0, "simulated, normalised, scaled", c1[2] + c2[2])
    code, _, err = run("ovx-export", s, "-o", path("s.h5ad"), "--layer", "scaled", "--omicverse")
    ok(code == 0, "export with the scaled layer", err)
    a = ad.read_h5ad(path("s.h5ad"))
    counts = a.layers["counts"].toarray().astype(float)
    div = a.obs["size_factor"].values
    y = np.log1p(counts / np.where(div == 0, 1, div)[:, None])
    ok(np.allclose(a.X.toarray(), y, rtol=1e-6, atol=0) and a.X.dtype == np.float32 and abs(a.uns["log1p"]["base"] - np.e) < 1e-12, "X is lognorm, uns/log1p is there")
    ok((counts == np.floor(counts)).all() and counts.sum() > 0, "layers/counts are counts")
    z = np.clip((y - a.var["mean"].values) / a.var["std"].values, -10, 10)
    ok(np.allclose(a.layers["scaled"], z, rtol=1e-5, atol=1e-6) and a.layers["scaled"].dtype == np.float32, "layers/scaled")
    ok("status" in a.uns and bool(a.uns["status"]["scaled"]) and not bool(a.uns["status"]["harmony"]), "OmicVerse's record of steps")
    ok(a.X.indices.dtype == a.X.indptr.dtype, "one type of indices")
    run("ovx-export", s, "-o", path("c.h5ad"), "-x", "counts")
    a = ad.read_h5ad(path("c.h5ad"))
    ok(same_matrix(a.X, counts) and not len(a.layers) and "log1p" not in a.uns, "-x counts")
    code, _, err = run("ovx-import", path("s.h5ad"), "-o", path("back.ovx"))
    d = lambda f: run("ovx-dump", "-p", "X", f)[1]
    ok(code == 0 and d(path("back.ovx")) == d(s), "counts come back from layers/counts", err)
    with open(s, "rb") as h:
        run("ovx-export", "-o", path("p.h5ad"), "--layer", "scaled", "--omicverse", "-@", 1, stdin=h)
    digest = lambda f: hashlib.sha256(open(f, "rb").read()).hexdigest()
    ok(digest(path("p.h5ad")) == digest(path("s.h5ad")), "the same bytes on each run, from a pipe, with one thread")
    code, _, err = run("ovx-export", path("0.ovx"), "-o", path("mtx") + "/")
    back = run("ovx-import", path("mtx"), "-o", path("m.ovx"))
    ok(code == 0 and back[0] == 0 and d(path("m.ovx")) == d(path("0.ovx")), "10x MTX there and back", err + back[2])
    code, _, err = run("ovx-export", path("0.ovx"), "-o", path("mtx") + "/")
    ok(code == 2 and "not empty" in err, "a folder that is not empty is refused", err)
    try:
        import scanpy as sc
        b = ad.read_h5ad(path("s.h5ad"))
        sc.tl.rank_genes_groups(b, "cell_type", method="wilcoxon")
        sc.pp.pca(b, n_comps=5)
        ok(len(b.uns["rank_genes_groups"]["names"]) > 0, "scanpy ranks genes on it")
    except ImportError:
        skip("scanpy ranks genes on it", "scanpy is not installed")
    t = run("ovx-export", s, "-p", "obs")[1].decode().splitlines()
    a = ad.read_h5ad(path("s.h5ad"))
    ok(len(t) == 1501 and t[0].startswith("name\t") and "size_factor" in t[0], "-p obs as TSV")
    code = run("ovx-export", s, "-p", "obs/size_factor", "-o", path("v.npy"))[0]
    ok(code == 0 and np.array_equal(np.load(path("v.npy")), a.obs["size_factor"].values), "-p obs/size_factor as NPY")
    ok(run("ovx-export", s, "-p", "X")[0] == 2, "X as a table is refused")
    full = run("ovx-export", s, "-o", "/dev/full", "-O", "h5ad")
    ok(full[0] == 1 and "No space" in full[2], "a full disk", full)

# --- damaged and hostile files --------------------------------------------------------
a = some(50, 10)
a.obs["k"] = np.arange(50)
f = write(a, "good.h5ad")
raw = open(f, "rb").read()
crashed = []
for i in range(0, len(raw), max(1, len(raw) // 60)):
    open(path("cut.h5ad"), "wb").write(raw[:i])
    code, _, err = run("ovx-import", path("cut.h5ad"), "-o", path("x.ovx"))
    if code not in (1, 2) or "Sanitizer" in err:
        crashed.append((i, code, err[-200:]))
ok(not crashed, "every cut is an error", crashed[:3])
crashed = []
os.environ["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"
for i in range(120):
    b = bytearray(raw)
    for _ in range(1 + i % 4):
        b[rng.integers(0, len(b))] = rng.integers(0, 256)
    open(path("bad.h5ad"), "wb").write(b)
    code, _, err = run("ovx-import", path("bad.h5ad"), "-o", path("x.ovx"))
    # HDF5 1.10 itself overruns its heap on some damaged files, and the C library may stop it then; our
    # own code must not be on top of the stack.
    ours = "runtime error" in err or ("Sanitizer" in err and not any(" in H5" in x or "libhdf5" in x for x in err.splitlines()[:6]))
    if code not in (0, 1, 2, -6) or ours:
        crashed.append((i, code, err[-300:]))
ok(not crashed, "flipped bytes never crash", crashed[:3])
os.environ.pop("ASAN_OPTIONS")
open(path("noise.h5ad"), "wb").write(raw[:8] + bytes(rng.integers(0, 256, 5000, dtype=np.uint8)))
code, _, err = run("ovx-import", path("noise.h5ad"), "-o", path("x.ovx"))
ok(code == 1 and "HDF5" in err, "noise behind the first eight bytes", err)


def spoil(name, words, fn):
    open(path("spoilt.h5ad"), "wb").write(raw)
    with h5py.File(path("spoilt.h5ad"), "a") as h:
        fn(h)
    out = path("spoilt.ovx")
    code, _, err = run("ovx-import", path("spoilt.h5ad"), "-o", out)
    ok(code == 1 and words in err and not os.path.exists(out), name, f"{code}: {err}")


def put(h, k, v):
    del h[k]
    h[k] = v


spoil("an index out of range", "X/indices", lambda h: h["X/indices"].__setitem__(3, 10))
spoil("a negative index", "X/indices", lambda h: h["X/indices"].__setitem__(3, -1))
spoil("an index above 2^32", "X/indices", lambda h: put(h, "X/indices", h["X/indices"][:].astype("i8") + 2 ** 32))
spoil("indptr that falls", "X/indptr", lambda h: h["X/indptr"].__setitem__(5, 0))
spoil("indptr that is too long", "X/indptr", lambda h: put(h, "X/indptr", np.append(h["X/indptr"][:], 9)))
spoil("indptr beyond the data", "X/indptr", lambda h: h["X/indptr"].__setitem__(50, 10 ** 6))
spoil("fewer values than indices", "X", lambda h: put(h, "X/data", h["X/data"][:-1]))
spoil("a shape that is not the axes'", "X", lambda h: h["X"].attrs.__setitem__("shape", [50, 11]))
spoil("a negative shape", "X", lambda h: h["X"].attrs.__setitem__("shape", [-1, 10]))
spoil("a huge shape", "X", lambda h: h["X"].attrs.__setitem__("shape", [2 ** 60, 2 ** 60]))
spoil("no shape", "X", lambda h: h["X"].attrs.__delitem__("shape"))
spoil("a column of another length", "k", lambda h: put(h, "obs/k", np.arange(49)))
spoil("no obs", "obs", lambda h: h.__delitem__("obs"))
spoil("names that occur twice", "twice", lambda h: h["obs/_index"].__setitem__(1, h["obs/_index"][0]))


def huge(h, k, shape, dtype):
    if k in h:
        del h[k]
    h.create_dataset(k, shape=shape, dtype=dtype, chunks=tuple(min(s, 1000) for s in shape))


spoil("a vector of 2^44 values that are not there", "more than the file can hold", lambda h: huge(h, "obs/_index", (2 ** 44,), "S20"))
spoil("an embedding of 2^44 values that are not there", "obsm/big", lambda h: huge(h, "obsm/big", (50, 2 ** 20), "f8"))
spoil("a dense X that is not there", "X", lambda h: huge(h, "X", (2 ** 40, 10), "f4"))

done()
