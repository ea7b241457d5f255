#!/bin/bash
# shard.sh BINDIR - parts of the cells, merged and projected, give the bytes of the whole
#
# 140,000 cells are three superblocks: shards by --shard must give exactly what one run gives; files of
# other sizes nearly.
. "$(dirname "$0")/tap.sh" shard "$1"
ovx-simulate -q --cells 140000 --genes 300 -o raw.ovx
qc="--min-umis 30 --min-genes 15 --max-mito 0.9 --min-cells 100"
ovx-qc -q $qc -b sample raw.ovx -o qc.ovx
ovx-normalize -q --exclude-highly-expressed no qc.ovx -o norm.ovx

# fit THREADS PARTS... -- TOOL OPTIONS: rounds over parts, which are I/N of one file or files of their own; ends with the fit
fit() {
	local threads=$1 inputs=() i p list more round=0
	shift
	while [ "$1" != -- ]; do inputs+=("$1"); shift; done
	shift
	local tool=$1
	shift
	while :; do
		list=
		i=0
		for p in "${inputs[@]}"; do
			i=$((i + 1))
			if [ $round = 0 ]; then ovx-$tool -q -@ $threads --partial $p "$@" -o part$i; else ovx-$tool -q -@ $threads --partial --project fit $p -o part$i; fi || return
			list="part$i $list"             # any order will do for I/N
		done
		[ "$own" ] && list=$(echo $list | tr ' ' '\n' | tac)
		ovx-$tool --merge $list -o fit 2> said || { cat said; return 1; }
		round=$((round + 1))
		grep -q 'one more round' said || return 0
	done
}
whole() { # whole WHAT INPUT TOOL OPTIONS: three shards, on one or on four threads, against one run
	local what=$1 in=$2 t
	shift 2
	ovx-$1 -q -n "${@:2}" "$in" -o whole 2> err
	for t in $((n % 2 ? 1 : 4)); do
		fit $t "--shard 1/3 $in" "--shard 2/3 $in" "--shard 3/3 $in" -- "$@" 2> err
		ovx-$1 -q -n -@ $t --project fit "$in" -o mine 2> err
		is "$what, $t threads" "$(cksum < whole)" "$(cksum < mine)"
	done
}
whole "qc" raw.ovx qc $qc
whole "qc by sample" raw.ovx qc $qc -b sample
whole "qc: medians" raw.ovx qc $qc --mode mads -b sample
whole "qc: measures only" raw.ovx qc $qc --flag
whole "normalize" qc.ovx normalize
whole "normalize: no gene left out" qc.ovx normalize --exclude-highly-expressed no
whole "normalize: to the median" qc.ovx normalize --target-sum 0 --max-fraction 0.3
whole "hvg pearson" norm.ovx hvg --n-top 50
whole "hvg pearson by sample" norm.ovx hvg --n-top 50 -b sample
whole "hvg seurat_v3" norm.ovx hvg --n-top 50 --flavor seurat_v3
whole "hvg seurat_v3 by sample" norm.ovx hvg --n-top 50 --flavor seurat_v3 -b sample
whole "hvg seurat" norm.ovx hvg --n-top 0 --flavor seurat
whole "hvg cell_ranger by sample" norm.ovx hvg --n-top 50 --flavor cell_ranger -b sample
whole "hvg seurat from counts" qc.ovx hvg --n-top 50 --flavor seurat
whole "scale" norm.ovx scale --max-value 5
ovx-hvg -q --n-top 50 norm.ovx | ovx-scale -q -o scaled.ovx
whole "pca" scaled.ovx pca -k 5
whole "pca of a layer that is not centred" scaled.ovx pca -k 5 --layer lognorm --whiten
ovx-scale -q -n --max-value 5 norm.ovx -o whole
fit 2 "norm.ovx" -- scale --max-value 5
is "a file that is all there is" "$(cksum < whole)" "$(ovx-scale -q -n --project fit norm.ovx | cksum)"

# Another number of shards than superblocks, and a whole file with an input from a pipe.
fit 2 "--shard 1/5 norm.ovx" "--shard 2/5 norm.ovx" "--shard 3/5 norm.ovx" "--shard 4/5 norm.ovx" "--shard 5/5 norm.ovx" -- scale --max-value 5
is "more shards than superblocks" "$(cksum < whole)" "$(ovx-scale -q -n --project fit norm.ovx | cksum)"
is "a shard of a pipe" "$(ovx-scale -q --partial --shard 2/3 norm.ovx | cksum)" "$(cat norm.ovx | ovx-scale -q --partial --shard 2/3 | cksum)"

ovx-qc -q -n $qc raw.ovx -o d1.ovx; ovx-normalize -q -n raw.ovx d1.ovx -o d2.ovx
for i in 1 2; do ovx-scale -q --partial --shard $i/2 raw.ovx d1.ovx d2.ovx -o part$i; done
ovx-scale -q --merge part1 part2 -o fit
is "base and deltas, cells cut: the same" "$(ovx-scale -q -n raw.ovx d1.ovx d2.ovx | cksum)" "$(ovx-scale -q -n --project fit raw.ovx d1.ovx d2.ovx | cksum)"

# --- files of their own -----------------------------------------------------------------
ovx-dump -p obs norm.ovx | sed 1d > names
cut() { ovx-cut -q --cells <(sed -n "$1p" names) norm.ovx -o "$2"; }
cut 1,65536 a.ovx; cut '65537,$' b.ovx
own=1
for t in "scale --max-value 5" "hvg --n-top 50 --flavor seurat -b sample" "hvg --n-top 50"; do
	fit 2 a.ovx b.ovx -- $t
	is "$t: files that are whole superblocks" "$(ovx-${t%% *} -q -n ${t#* } norm.ovx | cksum)" "$(ovx-${t%% *} -q -n --project fit norm.ovx | cksum)"
done
cut 1,20000 a.ovx; cut '20001,$' b.ovx
fit 2 a.ovx b.ovx -- scale
is "files of any size: it is said" 1 "$(grep -c 'no multiple of 65536' said)"
near() { paste <(ovx-dump -p "$1" "$2") <(ovx-dump -p "$1" "$3") | awk -F '\t' 'NR > 1 { d = $2 - $4; if (d < 0) d = -d; bad += d > 1e-12 } END { print bad + 0 }'; }
ovx-scale -q norm.ovx -o whole; ovx-scale -q --project fit norm.ovx -o mine
is "and the result is near" "0 0" "$(near var/mean whole mine) $(near var/std whole mine)"
ovx-scale -q --project fit a.ovx -o mine
is "a fit is for each of its files" "0 20000" "$(near var/std whole mine) $(ovx-dump -p obs mine | sed 1d | wc -l)"

# --- what cannot be ----------------------------------------------------------------------
for i in 1 2 3; do ovx-scale -q --partial --shard $i/3 norm.ovx -o p$i; done
has "a missing shard is named" 1 'shard 2/3' ovx-scale --merge p1 p3 -o no
has "so is one that is there twice" 1 'hold the same cells' ovx-scale --merge p1 p2 p2 p3 -o no
has "the same file twice" 1 'of the same cells' ovx-scale --merge part1 part1 -o no
has "parts of another tool" 1 'made by ovx-scale' ovx-hvg --merge p1 p2 p3 -o no
ovx-scale -q --partial --shard 2/3 --max-value 3 norm.ovx -o p4
has "parts of other options" 1 'different options' ovx-scale --merge p1 p4 p3 -o no
ovx-cut -q --genes <(ovx-dump -p var norm.ovx | sed 1d | head -n 200) norm.ovx -o cut.ovx
ovx-scale -q --partial --shard 2/3 cut.ovx -o p4
has "parts of other genes" 1 'different genes' ovx-scale --merge p1 p4 p3 -o no
has "a stream that is no part" 1 'is no part' ovx-scale --merge p1 norm.ovx -o no
ovx-scale -q --merge p3 p1 p2 -o fit
has "a fit of other genes" 1 'other genes' ovx-scale --project fit cut.ovx -o no
has "options are the fit's" 2 'taken from the fit' ovx-scale --project fit --max-value 3 norm.ovx -o no
has "a finished fit has no further round" 2 'finished' ovx-scale --partial --project fit norm.ovx -o no
has "a shard that is none" 2 'I/N' ovx-scale --partial --shard 4/3 norm.ovx -o no
has "--shard alone" 2 'with --partial' ovx-scale --shard 1/3 norm.ovx -o no
has "two steps at once" 2 'two steps' ovx-scale --partial --merge p1 -o no
ovx-hvg -q --partial --n-top 50 norm.ovx -o p1; ovx-hvg -q --merge p1 -o fit
has "an unfinished fit" 2 'one more round' ovx-hvg --project fit norm.ovx -o no
has "a part is no fit" 1 'is no fit' ovx-hvg --project p1 norm.ovx -o no
head -c 3000 p2 > p5
has "a part that was cut" 3 '' ovx-scale --merge p2 p5 -o no
is "nothing is left" no "$([ -e no ] && echo yes || echo no)"
head -n 5 <(ovx-dump -p var norm.ovx | sed 1d) > five
ovx-hvg -q --partial --flavor seurat --n-top 20 --keep five norm.ovx -o p1
has "a list must be given again" 2 'give it again' ovx-hvg --merge p1 -o fit
ovx-hvg -q --merge --keep five p1 -o fit
is "and then it is as in one run" "$(ovx-hvg -q -n --flavor seurat --n-top 20 --keep five norm.ovx | cksum)" "$(ovx-hvg -q -n --project fit --keep five norm.ovx | cksum)"
finish
