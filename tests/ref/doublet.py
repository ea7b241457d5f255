#!/usr/bin/env python3
"""Doublets: with --compat OmicVerse's own scores, calls and thresholds; without, doublets of known origin found not worse than by
scanpy's and the original Scrublet."""
from tap import *
need("numpy", "scipy", "anndata")
import json
import numpy as np
import scipy.sparse as sp
import anndata as ad

OMIC = os.path.join(SHARED, "ref", "omicverse", "pbmc3k")
raw = f"{DATA}/pbmc3k/derived/pbmc3k_raw.h5ad"


def auroc(truth, score):
    s = np.argsort(np.argsort(score, kind="stable"), kind="stable").astype(float)
    for v in np.unique(score):                          # ties share their ranks
        s[score == v] = s[score == v].mean()
    n = truth.sum()
    return (s[truth].sum() - n * (n - 1) / 2) / (n * (len(truth) - n))


def uns(file):
    return json.loads(run("ovx-dump", "-p", "uns/scrublet", path(file)).stdout)


def scores(file):
    return dict(zip(names(file, "obs"), column(file, "obs/doublet_score"))), dict(zip(names(file, "obs"), column(file, "obs/predicted_doublet")))


def compat():
    """Scores are steps of one neighbour: equal, or off by one where neighbours are at the same distance."""
    t = table(f"{OMIC}/qc_cells.tsv.gz")
    cells, summary = t[list(t)[0]], json.load(open(f"{OMIC}/summary.json"))
    run("ovx-import", raw, out="p.ovx")
    with open(path("b.tsv"), "w") as f:
        f.write("cell\tbatch\n" + "".join(f"{c}\tb{i % 2}\n" for i, c in enumerate(names("p.ovx", "obs"))))
    run("ovx-paste", "--obs", path("b.tsv"), path("p.ovx"), out="pb.ovx")
    run("ovx-qc", path("pb.ovx"), out="q.ovx")
    for what, args, kept in (("scrublet", [], "keep_scrublet"), ("flag", ["-b", "batch"], "keep_scrublet_batch")):
        run("ovx-doublet", "--compat", *args, path("q.ovx"), out="c.ovx")
        ours, call = scores("c.ovx")
        ref = {c: float(v) for c, v in zip(cells, t["score_" + what]) if v}
        d = np.array([abs(ours[c] - ref[c]) for c in ref])
        ok(np.mean(d <= 1e-8) >= 0.998 and d.max() <= 0.01, f"compat, {what}: scores of {len(ref)} cells", f"{np.mean(d > 1e-8):.2%} off by a neighbour")
        keep = dict(zip(cells, t[kept]))
        ok(all((call[c] != 1) == (keep[c] == "1") for c in call), f"compat, {what}: every call", sum(v == 1 for v in call.values()))
        u = uns("c.ovx")
        if args:
            for b, v in summary["scrublet_batches"].items():
                ok(abs(u["batches"][b]["threshold"] - v["threshold"]) <= 1e-12, f"compat, {what}: threshold of {b}", u["batches"][b]["threshold"])
        else:
            sim, want = np.array(u["doublet_scores_sim"]), np.load(f"{OMIC}/scrublet_sim.npz")["sim"]
            ok(len(sim) == len(want) and np.mean(np.isclose(sim, want, rtol=1e-9)) >= 0.999, f"compat, {what}: scores of the simulated doublets, so the pairs")


def made():
    a = ad.read_h5ad(raw)
    x = sp.csr_matrix(a.X)[:2560]
    t = table(f"{REF}/pbmc3k/made_doublets.tsv.gz")
    i, j = (floats(t, c).astype(int) for c in ("row_i", "row_j"))
    b = ad.AnnData(sp.csr_matrix(sp.vstack([x, x[i] + x[j]])).astype(np.float32))
    b.write_h5ad(path("made.h5ad"))
    run("ovx-import", path("made.h5ad"), out="made.ovx")
    truth = np.r_[np.zeros(2560), np.ones(len(i))].astype(bool)
    ref = json.load(open(f"{REF}/pbmc3k/scrublet_made.json"))
    best = max(np.median([r["AUROC"] for r in ref[k]]) for k in ("scanpy", "original"))
    got, same = [], []
    for seed in range(3):
        run("ovx-doublet", "-s", seed, path("made.ovx"), out="m.ovx")
        got.append(auroc(truth, np.array(column("m.ovx", "obs/doublet_score"))))
        run("ovx-doublet", "--compat", "-s", seed, path("made.ovx"), out="m.ovx")
        same.append(auroc(truth, np.array(column("m.ovx", "obs/doublet_score"))))
    ok(min(got) >= best, "made doublets: AUROC at least that of the better Scrublet", f"{min(got):.4f} to {max(got):.4f}, {best:.4f}")
    lo, hi = (f(r["AUROC"] for r in ref["scanpy"]) for f in (min, max))
    ok(lo - 0.01 <= np.median(same) <= hi + 0.01, "made doublets: with --compat within scanpy's spread", f"{np.median(same):.4f}, {lo:.4f} to {hi:.4f}")


def simulated():
    run("ovx-simulate", "--cells", 3000, "--genes", 10000, "--samples", 2, "--doublets", 0.08, "-s", 4, out="s.ovx")
    truth = np.array(column("s.ovx", "obs/doublet")).astype(bool)
    got = []
    for seed in range(3):
        run("ovx-doublet", "-b", "sample", "-s", seed, path("s.ovx"), out="d.ovx")
        got.append(auroc(truth, np.array(column("d.ovx", "obs/doublet_score"))))
    try:
        import skimage
        import scanpy as sc
    except ImportError:
        return skip("simulated cells: AUROC at least scanpy's", "no scanpy, or no scikit-image")
    run("ovx-export", path("s.ovx"), "-o", path("s.h5ad"))
    theirs = []
    for seed in range(3):
        a = ad.read_h5ad(path("s.h5ad"))
        a.X = sp.csr_matrix(a.X).astype(np.float32)
        sc.pp.scrublet(a, batch_key="sample", random_state=seed, verbose=False)
        theirs.append(auroc(truth, a.obs["doublet_score"].values.astype(float)))
    ok(np.median(got) >= np.median(theirs), "simulated cells: AUROC at least scanpy's", f"{np.median(got):.4f}, {np.median(theirs):.4f}")


if os.path.isdir(OMIC):
    compat()
else:
    skip("compat", "OmicVerse's results are not here")
made()
simulated()
done()
