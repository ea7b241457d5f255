#!/bin/bash
# fixtures.sh BINDIR HELPERDIR DIR CELLS GENES - streams in every state of the line,
# for the contract and fault tests: small norm scaled pca knn other (.ovx), mtx/, small.obs.tsv,
# and variants: ref.fa, calls (.vcf .vcf.gz .bcf); sites (.vcf .vxg) with frequencies, query.vcf to look up in them
set -e
bin=$1 helper=$2 dir=$3 cells=$4 genes=$5
PATH=$bin:$PATH
mkdir -p "$dir" && cd "$dir"
ovx-simulate -q -@ 1 --cells "$cells" --genes "$genes" --types 3 --doublets 0.1 -o plain.ovx
"$helper/odd" plain.ovx small.ovx
ovx-simulate -q -@ 1 --cells "$cells" --genes "$genes" --types 3 -s 1 -o other.ovx
ovx-normalize -q small.ovx -o norm.ovx
ovx-hvg -q --n-top 40 norm.ovx | ovx-scale -q -o scaled.ovx
ovx-pca -q -k 10 scaled.ovx -o pca.ovx
ovx-knn -q pca.ovx -o knn.ovx
ovx-dump -p obs/depth small.ovx | sed '1s/depth/score/' > small.obs.tsv
vx-simulate -q reference --contigs c1:60000,c2:40000 -o ref.fa
vx-simulate -q wgs -f ref.fa --records 3000 -o calls.vcf
vx-leftalign -q -f ref.fa calls.vcf -O z -o calls.vcf.gz
vx-leftalign -q -f ref.fa calls.vcf -O b -o calls.bcf
vx-simulate -q gnomad -f ref.fa --groups 2 -o sites.vcf
vx-simulate -q queries -f ref.fa --groups 2 --set respelt -o query.vcf
vx-gnomad index -q sites.vcf -o sites.vxg
mkdir -p mtx
ovx-dump -p obs small.ovx | sed 1d > mtx/barcodes.tsv
paste <(ovx-dump -p var/gene_ids small.ovx | sed 1d | cut -f2) <(ovx-dump -p var small.ovx | sed 1d) |
	awk -F '\t' '{ print $1 "\t" $2 "\tGene Expression" }' > mtx/features.tsv
ovx-dump -p X small.ovx | awk -F '\t' -v n="$cells" -v g="$genes" '
	FILENAME == "mtx/barcodes.tsv" { cell[$1] = FNR; next }
	FILENAME == "mtx/features.tsv" { gene[$2] = FNR; next }
	FNR > 1 { print gene[$2], cell[$1], $3 }' mtx/barcodes.tsv mtx/features.tsv - | sort -k2,2n -k1,1n > entries
{ echo '%%MatrixMarket matrix coordinate integer general'; echo "$genes $cells $(wc -l < entries)"; cat entries; } > mtx/matrix.mtx
rm entries
