#!/usr/bin/env python3
"""Agreement with scanpy, harmonypy, igraph, pymde and exact arithmetic on real counts."""
from tap import *
need("numpy")
import json
import numpy as np

rel = lambda a, b: float(np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 1e-12))) if len(a) else 0.0
tree = lambda s, f: json.load(open(f"{REF}/{s}/{f}.json"))
ref = lambda s, f: table(f"{REF}/{s}/{f}.tsv.gz")


def load():
    """pbmc3k.ovx, kang.ovx, mix3cl.ovx"""
    run("ovx-import", f"{DATA}/pbmc3k/derived/filtered_feature_bc_matrix", out="pbmc3k.ovx")
    for b in ("ctrl", "stim"):
        run("ovx-import", f"{DATA}/kang_ctrl_stim/derived/{b}", out=f"{b}.ovx")
    run("ovx-cat", "-b", "batch", *[f"{b}={path(b + '.ovx')}" for b in ("ctrl", "stim")], out="kang.ovx")
    for b in ("celseq2", "dropseq"):
        run("ovx-import", "--rows", "genes", f"{DATA}/sc_mixology_3cl/sc_{b}.count.csv.gz", out=f"{b}.ovx")
    run("ovx-cat", "-b", "batch", *[f"{b}={path(b + '.ovx')}" for b in ("celseq2", "dropseq")], out="mix3cl.ovx")


def qc(s):
    c, g = ref(s, "qc_cells"), ref(s, "qc_genes")
    ok(names(f"{s}.ovx", "obs") == c["cell"], f"{s}: cells in order")
    ok(names(f"{s}.ovx", "var") == g["gene"], f"{s}: genes in order, unique")
    run("ovx-qc", "--flag", "--compat", path(f"{s}.ovx"), out="flag.ovx")
    for k in ("nUMIs", "detected_genes"):
        ok(column("flag.ovx", f"obs/{k}") == list(floats(c, k)), f"{s}: {k} exact")
    for k in ("mito_perc", "ribo_perc", "hb_perc", "cell_complexity"):
        d = rel(np.array(column("flag.ovx", f"obs/{k}")), floats(c, k))
        ok(d <= 1e-12, f"{s}: {k}", f"rel {d:.1e}")
    for k in ("mt", "ribo", "hb"):
        ok(column("flag.ovx", f"var/{k}") == list(floats(g, k)), f"{s}: var/{k}")
    for mode, mask, extra in (("seurat", "seurat_pass", []), ("mads", "mads_pass", []), ("mads", "mads_pass_by_batch", ["-b", "batch"])):
        if mask not in c:
            continue
        run("ovx-qc", "--compat", "--mode", mode, *extra, path(f"{s}.ovx"), out="kept.ovx")
        # the masks are before the plain minimum of 200 genes, the genes after it
        want = [n for n, m, d in zip(c["cell"], c[mask], c["detected_genes"]) if m == "1" and int(d) >= 200]
        ok(names("kept.ovx", "obs") == want, f"{s}: cells kept by {mask}", len(want))
        if mask + "_gene_kept" in g:
            ok(names("kept.ovx", "var") == [n for n, m in zip(g["gene"], g[mask + "_gene_kept"]) if m == "1"], f"{s}: genes kept after {mask}")


def normalize(s):
    f, j, lg = ref(s, "size_factors"), tree(s, "normalize"), ref(s, "lognorm_sample")
    for key, args in (("t5e5_excl", []), ("t5e5", ["--exclude-highly-expressed", "no"]),
                      ("t1e4", ["--target-sum", "1e4", "--exclude-highly-expressed", "no"]),
                      ("median", ["--target-sum", "0", "--exclude-highly-expressed", "no", "--min-percent", "0"])):
        run("ovx-normalize", *args, path(f"{s}.ovx"), out=f"{s}.{key}.ovx")
        sf = np.array(column(f"{s}.{key}.ovx", "obs/size_factor"))
        d = rel(sf * j[key]["target"], floats(f, key))
        ok(d <= 1e-15 * 4, f"{s}: size factors {key}", f"rel {d:.1e}")
        ex = [n for n, v in zip(names(f"{s}.{key}.ovx", "var"), column(f"{s}.{key}.ovx", "var/highly_expressed")) if v]
        ok(ex == j[key]["excluded"] or sorted(ex) == sorted(j[key]["excluded"]), f"{s}: excluded genes {key}", len(ex))
        if key in lg:
            y = np.log1p(floats(lg, "count") / sf[[int(i) for i in lg["cell"]]])
            ok(rel(y, floats(lg, key)) <= 1e-13, f"{s}: lognorm values {key}")
    ok(sum(column(f"{s}.t5e5_excl.ovx", "var/robust")) == j["robust_genes"], f"{s}: robust genes")


FLAVORS = (("seurat", "seurat"), ("cell_ranger", "cell_ranger"), ("seurat_v3", "seurat_v3"), ("pearson", "pearson_residuals"))
SCORE = dict(seurat="dispersions_norm", cell_ranger="dispersions_norm", seurat_v3="variances_norm", pearson="residual_variances")


def hvg(s, batch):
    for flavor, name in FLAVORS:
        file = f"hvg_batch_{name}" if batch else f"hvg_{name}"
        if not os.path.exists(f"{REF}/{s}/{file}.tsv.gz"):
            continue
        t, logs, out = ref(s, file), flavor in ("seurat", "cell_ranger"), "hvg.ovx"
        # scanpy sees all genes, on ln(1 + counts per 10,000); and clips every batch like the first
        src = path(f"{s}.ovx")
        args = ["-b", "batch"] * batch + ["--compat"] * (flavor == "pearson")
        run("ovx-hvg", "--flavor", flavor, *args, src, out=out)
        n = names(f"{s}.ovx", "var")
        where = {g: i for i, g in enumerate(n)}
        at = [where[g] for g in t["gene"]]
        hv = np.array(column(out, "var/highly_variable"))[at]
        want = floats(t, "highly_variable")
        both = int((hv * want).sum())
        # seurat_v3 ranks within batches: of the many genes with equal variances there (few counts) scanpy's
        # unstable sort takes any first, ours the one that comes first
        slack = 10 if batch and flavor == "seurat_v3" else 0
        ok(both >= int(want.sum()) - slack, f"{s}: {file}: the same genes", f"{both} of {int(want.sum())}")
        key = SCORE[flavor] + ("_f64" if SCORE[flavor] + "_f64" in t else "")
        # a normalised dispersion is a difference: near 0 it is compared with its scale, 1
        a, b = np.array(column(out, f"var/{SCORE[flavor]}"))[at], floats(t, key)
        d = float(np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 0.1 if logs else 1e-12)))
        # seurat_v3 stands on a loess that interpolates; pearson's batch file holds scanpy's float32-accumulated numbers
        tol = dict(seurat=1e-9, cell_ranger=1e-9, seurat_v3=1e-6, pearson=1e-9 if key.endswith("_f64") else 1e-6)[flavor]
        ok(d <= tol, f"{s}: {file}: {key}", f"rel {d:.1e}")


def scale_pca(s):
    t, v = ref(s, "scale"), ref(s, "pca_variance")
    run("ovx-hvg", path(f"{s}.t5e5_excl.ovx"), out="h.ovx")
    run("ovx-scale", path("h.ovx"), out="s.ovx")
    where = {g: i for i, g in enumerate(names("s.ovx", "var"))}
    at = [where[g] for g in t["gene"]]
    for k in ("mean", "std"):
        d = rel(np.array(column("s.ovx", f"var/{k}"))[at], floats(t, k))
        ok(d <= 1e-10, f"{s}: scale: {k}", f"rel {d:.1e}")
    ok(list(np.array(column("s.ovx", "var/highly_variable"))[at]) == list(floats(t, "hvg")), f"{s}: the genes of the PCA")
    run("ovx-pca", path("s.ovx"), out=f"{s}.pca.ovx")
    uns = json.loads(run("ovx-dump", "-p", "uns/pca", path(f"{s}.pca.ovx")).stdout)
    k = min(50, len(v["variance"]))
    d = rel(np.array(uns["variance"])[:k], floats(v, "variance")[:k])
    ok(d <= 1e-7, f"{s}: PCA: variances", f"rel {d:.1e}")
    d = rel(np.array(uns["variance_ratio"])[:k], floats(v, "ratio")[:k])
    ok(d <= 1e-7, f"{s}: PCA: ratios", f"rel {d:.1e}")
    x, y = matrix(f"{s}.pca.ovx", "obsm/X_pca"), np.load(f"{REF}/{s}/pca.npy").astype(float)
    gap = floats(v, "gap_to_next")
    worst = 0
    for i in range(y.shape[1]):
        if min(gap[i], gap[i - 1] if i else 1) > 0.01:
            sign = np.sign((x[:, i] * y[:, i]).sum())
            worst = max(worst, np.abs(x[:, i] - sign * y[:, i]).max() / y[:, i].std())
            if sign < 0:
                worst = 9
    ok(worst <= 1e-5, f"{s}: PCA: scores and signs of separated components", f"{worst:.1e} sd")
    q, p = np.linalg.qr(x)[0], np.linalg.qr(y)[0]
    sv = np.linalg.svd(q.T @ p if q.shape[1] >= p.shape[1] else p.T @ q)[1]
    ok(sv[: min(x.shape[1], y.shape[1]) - 1].min() > 0.999, f"{s}: PCA: the same subspace", f"{sv.min():.6f}")
    l = matrix(f"{s}.pca.ovx", "varm/PCs")
    ok(np.abs(l.T @ l - np.eye(l.shape[1])).max() < 1e-10, f"{s}: PCA: orthonormal loadings")


def paste(s, file, out):
    """The reference's PCA in place of ours, so that later stages see the same input."""
    run("ovx-paste", "--obsm", f"X_pca={REF}/{s}/{file}.npy", path(f"{s}.ovx"), out=out)


def neighbours(s, rep, file):
    paste(s, file, "x.ovx")
    idx, dist = np.load(f"{REF}/{s}/knn_{rep}_indices.npy"), np.load(f"{REF}/{s}/knn_{rep}_distances.npy")
    run("ovx-knn", "-k", "16", "--exact", path("x.ovx"), out="n16.ovx")
    n = {c: i for i, c in enumerate(names("x.ovx", "obs"))}
    got = [dict() for _ in n]
    for a, b, d in dump("n16.ovx", "obsp/distances")[1]:
        got[n[a]][n[b]] = float(d)
    same = sum(set(g) == set(i) for g, i in zip(got, idx))
    ok(same == len(idx), f"{s}: exact neighbours of {rep}", f"{same} of {len(idx)} rows")
    d = max(abs(g[j] - v) for g, i, w in zip(got, idx, dist) for j, v in zip(i, w) if j in g)
    ok(d < 1e-5, f"{s}: distances of {rep}", f"{d:.1e}")
    run("ovx-knn", "--exact", path("x.ovx"), out=f"{s}.knn.ovx")
    t = ref(s, f"knn_{rep}_umap")
    want = {(int(i), int(j)): float(w) for i, j, w in zip(t["i"], t["j"], t["w"])}
    have = {(n[a], n[b]): float(w) for a, b, w in dump(f"{s}.knn.ovx", "obsp/connectivities")[1] if n[a] < n[b]}
    ok(set(want) == set(have), f"{s}: edges of the graph", f"{len(have)} of {len(want)}")
    d = max(abs(have.get(k, 0) - w) for k, w in want.items())
    ok(d < 1e-5, f"{s}: membership strengths", f"{d:.1e}")


def clusters(s):
    t = tree(s, "clusters")
    for method, bar in (("leiden", "igraph_leiden_2"), ("louvain", "igraph_multilevel")):
        run("ovx-cluster", "--method", method, "--resolution", "0.5,1,2", path(f"{s}.knn.ovx"), out="c.ovx")
        for r in ("0.5", "1", "2"):
            q = json.loads(run("ovx-dump", "-p", f"uns/{method}_r{r}", path("c.ovx")).stdout)["modularity"]
            want = t[f"{bar}@{float(r)}"]["modularity"]["median"]
            ok(q >= want - 1e-4, f"{s}: {method} at {r}: modularity not below igraph's median", f"{q:.5f}, {want:.5f}")


def harmony(s, dims):
    j = tree(s, "harmony")
    want = [r["objective_harmony"][-1] for r in j["runs"] if r["mode"] == "default"]
    paste(s, "pca", "x.ovx")
    obj, lisi = [], []
    try:
        from harmonypy import compute_lisi
        import pandas as pd
        meta = pd.DataFrame(dict(batch=column("x.ovx", "obs/batch", str)))
    except ImportError:
        compute_lisi = None
    for seed in range(5):
        run("ovx-harmony", "-b", "batch", "-s", seed, path("x.ovx"), out="h.ovx")
        obj.append(json.loads(run("ovx-dump", "-p", "uns/harmony", path("h.ovx")).stdout)["objective"][-1])
        z = matrix("h.ovx", "obsm/X_harmony")
        if compute_lisi:
            lisi.append(np.median(compute_lisi(z, meta, ["batch"])))
    d = np.median(obj) / np.median(want) - 1
    ok(d < 0.02, f"{s}: Harmony: objective, median of 5 seeds", f"{np.median(obj):.2f}, harmonypy {np.median(want):.2f}")
    if compute_lisi:
        w = np.median([r["median_lisi"]["batch"] for r in j["runs"] if r["mode"] == "default"])
        m = np.median(lisi)
        ok(abs(m / w - 1) < 0.02, f"{s}: Harmony: LISI, median of 5 seeds", f"{m:.4f}, harmonypy {w:.4f}")
    else:
        skip(f"{s}: Harmony: LISI", "harmonypy is not installed")
    y = np.load(f"{REF}/{s}/harmony_seed0.npy").astype(float)
    r = [abs(np.corrcoef(z[:, i], y[:, i])[0, 1]) for i in range(y.shape[1])]
    bar = min(min(x["r_per_pc_with_default_seed0"]) for x in j["runs"] if x["mode"] == "default")
    ok(min(r) >= bar - 0.01, f"{s}: Harmony: correlation of every component with harmonypy's", f"{min(r):.4f}, its own seeds {bar:.4f}")


def layout(s):
    j = tree(s, "layout")["mde"]
    got = []
    for seed in range(3):
        run("ovx-mde", "-s", seed, path(f"{s}.knn.ovx"), out="m.ovx")
        got.append(json.loads(run("ovx-dump", "-p", "uns/mde", path("m.ovx")).stdout)["distortion"])
    w = max(r["average_distortion"] for r in j)
    ok(np.median(got) <= w * 1.01, f"{s}: MDE: distortion within 1 % of pymde's", f"{np.median(got):.5f}, pymde's seeds to {w:.5f}")
    x = matrix("m.ovx", "obsm/X_mde")
    ok(np.abs(x.mean(0)).max() < 1e-5 and np.abs(x.T @ x / len(x) - np.eye(2)).max() < 1e-4, f"{s}: MDE: mean 0, covariance 1")
    # of the 15 nearest others in 30 components, how many are nearest in the picture
    rep = tree(s, "layout").get("rep", "pca30")
    idx = np.load(f"{REF}/{s}/knn_pca30_indices.npy") if os.path.exists(f"{REF}/{s}/knn_pca30_indices.npy") else None
    if idx is not None:
        d = ((x[:, None, :] - x[None, :, :]) ** 2).sum(2)
        np.fill_diagonal(d, np.inf)
        near = np.argpartition(d, 15, axis=1)[:, :15]
        kept = np.mean([len(set(a) & set(b)) / 15 for a, b in zip(near, idx)])
        w = min(r["kept15"] for r in j)
        ok(kept >= w - 0.005, f"{s}: MDE: neighbours kept", f"{kept:.4f}, pymde {w:.4f}")


load()
for s in ("pbmc3k", "kang", "mix3cl"):
    qc(s)
    normalize(s)
    hvg(s, s != "pbmc3k")
    scale_pca(s)
hvg("kang", False)
neighbours("pbmc3k", "pca30", "pca")
clusters("pbmc3k")
layout("pbmc3k")
for s in ("kang", "mix3cl"):
    harmony(s, 50)
done()
