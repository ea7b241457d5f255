#!/bin/bash
# line.sh BINDIR - the whole line gives the same bytes however it is run: in a
# pipe, by files, by deltas, with one thread, with little memory
. "$(dirname "$0")/tap.sh" line "$1"
ovx-simulate -q --cells 800 --genes 6000 --types 5 -o in.ovx
ovx-cut -q -e 'sample == "sample1"' in.ovx -o a.ovx
ovx-cut -q -e 'sample == "sample2"' in.ovx -o b.ovx
ovx-cat -q -b donor one=a.ovx two=b.ovx -o in.ovx
stages=("qc -b donor" normalize "hvg -b donor" scale pca "harmony -b donor" knn mde "cluster --resolution 0.5,1")

pipe() { # pipe OUT OPTIONS
	local out=$1 cmd="cat in.ovx" s
	shift
	for s in "${stages[@]}"; do cmd="$cmd | ovx-$s -q $*"; done
	eval "$cmd" > "$out" 2> err
}
pipe whole.ovx;                                 is "a pipe" 0 $?
pipe one.ovx -@ 1;                              is "one thread" "$(cksum < whole.ovx)" "$(cksum < one.ovx)"
pipe small.ovx -M 200M;                         is "200 MB" "$(cksum < whole.ovx)" "$(cksum < small.ovx)"
f=in.ovx i=0
for s in "${stages[@]}"; do i=$((i + 1)); ovx-$s -q $f -o f$i.ovx 2> err; f=f$i.ovx; done
is "every stage a file" "$(cksum < whole.ovx)" "$(cksum < $f)"
d= i=0
for s in "${stages[@]}"; do i=$((i + 1)); ovx-$s -q -n in.ovx $d -o d$i.ovx 2> err; d="$d d$i.ovx"; done
ovx-join -q in.ovx $d -o join.ovx
is "every stage a delta" "$(cksum < whole.ovx)" "$(cksum < join.ovx)"
ovx-scale -q -n in.ovx d1.ovx d2.ovx d3.ovx | ovx-pca -q -n in.ovx d1.ovx d2.ovx d3.ovx - | ovx-join -q in.ovx d1.ovx d2.ovx d3.ovx - > j5.ovx
is "a delta through a pipe" "$(cksum < f5.ovx)" "$(cksum < j5.ovx)"
ovx-cut -q -e 'doublet == 0' --genes <(ovx-dump -p var f3.ovx | sed 1d | tail -n 3000) f3.ovx -o cut.ovx
ovx-cut -q -n -e 'doublet == 0' --genes <(ovx-dump -p var f3.ovx | sed 1d | tail -n 3000) in.ovx d1.ovx d2.ovx d3.ovx -o dcut.ovx
ovx-join -q in.ovx d1.ovx d2.ovx d3.ovx dcut.ovx -o jcut.ovx
is "cells and genes cut twice by deltas" "$(cksum < cut.ovx)" "$(cksum < jcut.ovx)"
is "nothing is stale" ok "$(ovx-check whole.ovx | cut -f 2)"
is "projecting a fit on its own cells gives its scores" 0 "$(paste <(ovx-pca -q --project f5.ovx f4.ovx | ovx-dump -p obsm/X_pca) <(ovx-dump -p obsm/X_pca f5.ovx) |
	awk -F '\t' 'NR > 1 { n = NF / 2; for (i = 2; i <= n; i++) { d = $i - $(i + n); if (d > 1e-4 || d < -1e-4) bad++ } } END { print bad + 0 }')"
ovx-cluster -q --resolution 1 f7.ovx -o c.ovx
is "clusters are the simulated types" 1 "$(paste <(ovx-dump -p obs/cell_type c.ovx) <(ovx-dump -p obs/leiden c.ovx) | awk -F '\t' '
	NR > 1 { n[$2, $4]++; r[$2]++; c[$4]++; t++ }
	function p(x) { return x * (x - 1) / 2 }
	END { for (i in n) b += p(n[i]); for (i in r) x += p(r[i]); for (i in c) y += p(c[i]); e = x * y / p(t); print ((b - e) / ((x + y) / 2 - e) > 0.7) }')"
finish
