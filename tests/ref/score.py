#!/usr/bin/env python3
"""Scores of gene lists and phases of the cell cycle against scanpy's, on real counts: its own numbers from the files, and
scanpy itself on what ovx-export writes."""
from tap import *
need("numpy", "anndata", "scanpy")
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import anndata as ad
import scanpy as sc
sc.settings.verbosity = 0

worst = lambda a, b: float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())
uns = lambda file, key: json.loads(run("ovx-dump", "-p", f"uns/{key}", path(file)).stdout)


def load():
    run("ovx-import", f"{DATA}/pbmc3k/derived/filtered_feature_bc_matrix", out="pbmc3k.ovx")
    for b in ("ctrl", "stim"):
        run("ovx-import", f"{DATA}/kang_ctrl_stim/derived/{b}", out=f"{b}.ovx")
    run("ovx-cat", "-b", "batch", *[f"{b}={path(b + '.ovx')}" for b in ("ctrl", "stim")], out="kang.ovx")
    for s in ("pbmc3k", "kang"):
        run("ovx-normalize", path(f"{s}.ovx"), out=f"{s}.n.ovx")


def same(what, file, t, tol):
    """Scores within tol; phases equal but where a score lies within tol of a border."""
    s, g = (np.array(column(file, f"obs/{k}")) for k in ("S_score", "G2M_score"))
    d = max(worst(s, floats(t, "S_score")), worst(g, floats(t, "G2M_score")))
    ok(d <= tol, f"{what}: scores", f"{d:.1e}")
    p = np.array(column(file, "obs/phase", str))
    ok((p == np.array(t["phase"])).all(), f"{what}: phases", f"{int((p == np.array(t['phase'])).sum())} of {len(p)}")


def golden(s):
    """--compat: names as they stand in the lists, as scanpy was given them."""
    run("ovx-score", "--compat", path(f"{s}.n.ovx"), out="c.ovx")
    t, g, j = table(f"{REF}/{s}/cellcycle.tsv.gz"), table(f"{REF}/{s}/cellcycle_genes.tsv.gz"), uns("c.ovx", "cell_cycle")
    ok(names("c.ovx", "obs") == t["cell"], f"{s}: cells in order")
    for k in ("S_score", "G2M_score"):
        for role, mine in (("list", "genes"), ("control", "controls")):
            want = {x for x, l, r in zip(g["gene"], g["list"], g["role"]) if l == k and r == role}
            ok(set(j[k][mine]) == want, f"{s}: {k}: the same {mine}", f"{len(want & set(j[k][mine]))} of {len(want)}")
    same(s, "c.ovx", t, 1e-12)


def omicverse():
    """OmicVerse's own run: float32, cells and genes after its QC."""
    there = os.path.join(SHARED, "ref", "omicverse", "pbmc3k")
    if not os.path.isdir(there):
        return skip("OmicVerse's run on pbmc3k", "its files are not here")
    t = table(f"{there}/cells.tsv.gz")
    for f, col in (("cells", ""), ("hvg_table", "")):
        with open(path(f + ".txt"), "w") as o:
            o.write("\n".join(table(f"{there}/{f}.tsv.gz")[col]) + "\n")
    run("ovx-cut", "--cells", path("cells.txt"), "--genes", path("hvg_table.txt"), path("pbmc3k.ovx"), out="cut.ovx")
    run("ovx-normalize", path("cut.ovx"), out="n.ovx")
    run("ovx-score", "--compat", path("n.ovx"), out="o.ovx")
    ok(names("o.ovx", "obs") == t[""], "OmicVerse: the same cells", len(t[""]))
    same("OmicVerse on pbmc3k", "o.ovx", t, 1e-6)


def scanpy(s):
    run("ovx-export", "-o", path(f"{s}.h5ad"), path(f"{s}.n.ovx"))
    a = ad.read_h5ad(path(f"{s}.h5ad"))
    a = a[:, a.var["robust"].astype(bool)].copy()
    run("ovx-score", path(f"{s}.n.ovx"), out="c.ovx")
    j = uns("c.ovx", "cell_cycle")
    ok(j["species"] == "human", f"{s}: species found")
    # scanpy is given the names that are there, and the length of the whole lists
    lists = {k: j[k]["genes"] for k in ("S_score", "G2M_score")}
    d = 0
    for k in lists:
        sc.tl.score_genes(a, lists[k], ctrl_size=43, score_name=k)
        d = max(d, worst(a.obs[k], column("c.ovx", f"obs/{k}")))
    ok(d <= 1e-6, f"{s}: scanpy on the .h5ad, float32, renamed genes looked for", f"{d:.1e}")
    sc.tl.score_genes_cell_cycle(a, s_genes=lists["S_score"] + ["-"] * (43 - len(lists["S_score"])), g2m_genes=lists["G2M_score"] + ["-"] * 43)
    p = np.array(column("c.ovx", "obs/phase", str))
    n = int((p == a.obs["phase"].astype(str).values).sum())
    ok(n == len(p), f"{s}: scanpy: phases", f"{n} of {len(p)}")
    r = np.random.default_rng(1)
    pick = {f"l{i}": list(r.choice(a.var_names, n, replace=False)) for i, n in enumerate((1, 3, 20, 200, 1500))}
    pick["T"] = ["CD3D", "CD3E", "IL7R", "nobody", "CD3D"]
    with open(path("l4.txt"), "w") as f:
        f.write("\n".join(pick["l4"]) + "\n")
    sets = [x for k, v in pick.items() for x in ("--gene-set", f"{k}=" + ("@" + path("l4.txt") if k == "l4" else ",".join(v)))]
    for seed, size, bins in ((0, 50, 25), (7, 10, 25), (4294967295, 100, 11)):
        more = [] if seed == 0 else ["--ctrl-size", size, "--bins", bins, "-s", seed]
        run("ovx-score", *more, *sets, path(f"{s}.n.ovx"), out="g.ovx")
        d = 0
        for k, v in pick.items():
            sc.tl.score_genes(a, v, ctrl_size=size, n_bins=bins, random_state=seed, score_name="x")
            d = max(d, worst(a.obs["x"], column("g.ovx", f"obs/{k}_score")))
        ok(d <= 2e-6, f"{s}: scanpy's score_genes: {len(pick)} lists, {size} controls, {bins} bins, seed {seed}", f"{d:.1e}")
    run("ovx-export", "-o", path("back.h5ad"), path("c.ovx"))
    b = ad.read_h5ad(path("back.h5ad"))
    ok(list(b.obs["phase"].cat.categories) == ["G1", "S", "G2M"] and list(b.uns["cell_cycle"]["S_score"]["genes"]) == lists["S_score"],
       f"{s}: phase and lists in an .h5ad")


load()
for s in ("pbmc3k", "kang"):
    golden(s)
    scanpy(s)
omicverse()
done()
