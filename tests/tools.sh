#!/bin/bash
# tools.sh BINDIR - golden cases, refusals and properties of the tools, on small made-up data
. "$(dirname "$0")/tap.sh" tools "$1"
col() { ovx-dump -p "$1" "$2" | sed 1d | cut -f 2 | tr '\n' ' '; }

# --- a matrix by hand: 6 genes x 5 cells ---------------------------------------
mkdir mtx
printf 'E1\tMT-ND1\tGene Expression\nE2\tHBB\tGene Expression\nE3\tHBEGF\tGene Expression\nE4\tRPL3\tGene Expression\nE5\tDUP\tGene Expression\nE6\tDUP\tGene Expression\nA1\tCD3\tAntibody Capture\n' > mtx/features.tsv
printf 'AAA-1\nAAB-1\nAAC-1\nAAD-1\nAAE-1\n' > mtx/barcodes.tsv
cat > mtx/matrix.mtx <<'E'
%%MatrixMarket matrix coordinate integer general
% a comment
7 5 13
1 1 2
2 1 1
4 1 3
5 1 4
7 1 9
1 2 1
3 2 2
6 2 7
2 3 4294967295
4 4 1
5 4 1
1 5 5
5 5 0
E
ovx-import -q mtx -o m.ovx 2> err
is "import: symbols made unique, other features left out" "MT-ND1 HBB HBEGF RPL3 DUP DUP-1 " "$(ovx-dump -p var m.ovx | sed 1d | tr '\n' ' ')"
is "import: ids kept" "E1 E2 E3 E4 E5 E6 " "$(col var/gene_ids m.ovx)"
is "import: says both" 2 "$(grep -c 'ovx-import: ' err)"
is "import: values, zeros left out" "11 4294967295" "$(ovx-dump -p X m.ovx | sed 1d | wc -l) $(ovx-dump -p X m.ovx | awk 'NR > 1 && $3 > 100 { print $3 }')"
is "import: all feature types" 7 "$(ovx-import -q --feature-type all mtx 2> /dev/null | ovx-dump -p var | sed 1d | wc -l)"
(head -n 3 mtx/matrix.mtx; tail -n 13 mtx/matrix.mtx | sort -r) > shuffled && mkdir un && cp mtx/*.tsv un && cp shuffled un/matrix.mtx
ovx-import -q un -o u.ovx 2> err
is "import: unsorted entries" "$(ovx-dump -p X m.ovx | cksum)" "$(ovx-dump -p X u.ovx | cksum)"
mkdir gz && for f in barcodes.tsv features.tsv matrix.mtx; do gzip -c mtx/$f > gz/GSM1_$f.gz; done
is "import: gzip and a name prefix" "$(cksum < m.ovx)" "$(ovx-import -q gz 2> /dev/null | cksum)"
mkdir old && cut -f 1,2 mtx/features.tsv > old/genes.tsv && cp mtx/barcodes.tsv mtx/matrix.mtx old
is "import: Cell Ranger 2 (genes.tsv)" "CD3" "$(ovx-import -q old 2> /dev/null | ovx-dump -p var | tail -n 1)"
mkdir deep && cp -r old deep/hg19
is "import: a folder with a genome in it" 7 "$(ovx-import -q deep 2> /dev/null | ovx-dump -p var | sed 1d | wc -l)"

# Several blocks of lines: the bytes do not depend on threads, order and style; a bad line has its number.
mkdir wide && seq -f 'E%g' 2000 | awk '{ print $1 "\t" $1 }' > wide/genes.tsv && seq -f 'B%g' 700 > wide/barcodes.tsv
awk 'BEGIN { print "%%MatrixMarket matrix coordinate real general"; print "%\n\n2000 700 280000"
	for (c = 1; c <= 700; c++) for (g = c % 5 + 1; g <= 2000; g += 5) print g, c, 1 + (g * c) % (g % 7 ? 3 : 5000) }' > wide/matrix.mtx
ovx-import -q -@ 1 wide -o w1.ovx
for t in 2 5; do is "import: many lines, $t threads" "$(cksum < w1.ovx)" "$(ovx-import -q -@ $t wide | cksum)"; done
mkdir styled && cp wide/*.tsv styled && sed '5,$s/\([^ ]*\) \([^ ]*\) \(.*\)/0\1\t \2 \3.0/; 100000s/^/\r\n/; s/$/\r/' wide/matrix.mtx | gzip -1 > styled/matrix.mtx.gz
is "import: reals, blanks, CR LF" "$(cksum < w1.ovx)" "$(ovx-import -q -@ 3 styled | cksum)"
rm styled/matrix.mtx.gz && { head -n 4; sort -k 1,1n; } < wide/matrix.mtx > styled/matrix.mtx
is "import: sorted by gene" "$(cksum < w1.ovx)" "$(ovx-import -q -@ 3 styled | cksum)"
awk 'BEGIN { print "%%MatrixMarket matrix coordinate integer general\n700 2000 280000" } NR > 4 { print $2, $1, $3 }' wide/matrix.mtx > styled/matrix.mtx
is "import: cells in rows" "$(cksum < w1.ovx)" "$(ovx-import -q -@ 3 styled | cksum)"
sed '250000s/.*/1 x 1/; 270000s/.*/2 1 1/' wide/matrix.mtx > styled/matrix.mtx
has "import: a bad line" 1 "line 250000: '1 x 1' is no entry of a 2000 x 700 matrix" ovx-import -@ 2 styled
sed '$d' wide/matrix.mtx > styled/matrix.mtx
has "import: a line is missing" 3 'has 279999 entries, its header says 280000' ovx-import -@ 2 styled
rm styled/matrix.mtx && gzip -c wide/matrix.mtx | head -c 500000 > styled/matrix.mtx.gz
has "import: cut gzip" 3 'ends in the middle' ovx-import -@ 2 styled

# --- qc -------------------------------------------------------------------------
ovx-qc -q --flag m.ovx -o q.ovx 2> err
is "qc: nUMIs" "10 10 4294967295 2 5 " "$(col obs/nUMIs q.ovx)"
is "qc: detected_genes" "4 3 1 2 1 " "$(col obs/detected_genes q.ovx)"
is "qc: mito_perc is a fraction" "0.2 0.1 0 0 1 " "$(col obs/mito_perc q.ovx)"
is "qc: HBEGF is no haemoglobin" "0 1 0 0 0 0 " "$(col var/hb q.ovx)"
is "qc: with --compat it is" "0 1 1 0 0 0 " "$(ovx-qc -q --compat --flag m.ovx 2> /dev/null | ovx-dump -p var/hb | sed 1d | cut -f 2 | tr '\n' ' ')"
is "qc: a family of one's own" "0.4 0.7 0 0.5 0 " "$(ovx-qc -q --flag --gene-set dup=DUP m.ovx 2> /dev/null | ovx-dump -p obs/dup_perc | sed 1d | cut -f 2 | tr '\n' ' ')"
is "qc: thresholds are strict" "AAB-1 " "$(ovx-qc -q --min-umis 5 --min-genes 2 --max-mito 0.2 --min-cells 0 m.ovx 2> /dev/null | ovx-dump -p obs | sed 1d | tr '\n' ' ')"
is "qc: genes in enough kept cells" "MT-ND1 " "$(ovx-qc -q --min-umis 4 --min-genes 0 --max-mito 2 --min-cells 3 m.ovx 2> /dev/null | ovx-dump -p var | sed 1d | tr '\n' ' ')"
has "qc: nothing left" 1 'lower --min-umis' ovx-qc m.ovx
has "qc: no mitochondrial gene is said" 0 'no gene name starts with' ovx-qc --flag <(ovx-cut -q --genes <(echo HBB) m.ovx)

# --- normalize ------------------------------------------------------------------
ovx-normalize -q --target-sum 100 m.ovx -o n.ovx 2> err
is "normalize: genes that dominate a cell are left out of the sums" "0 0 0 0 0 0 " "$(ovx-normalize -q --max-fraction 1 m.ovx 2> /dev/null | ovx-dump -p var/highly_expressed | sed 1d | cut -f 2 | tr '\n' ' ')"
is "normalize: by default all here do" "1 1 0 1 1 1 " "$(col var/highly_expressed n.ovx)"
is "normalize: the divisor is f/T" "0 0.02 0 0 0 " "$(col obs/size_factor n.ovx)"
is "normalize: plain" "0.1 0.1 42949672.95 0.02 0.05 " "$(ovx-normalize -q --target-sum 100 --exclude-highly-expressed no m.ovx 2> /dev/null | ovx-dump -p obs/size_factor | sed 1d | cut -f 2 | tr '\n' ' ')"

# --- refusals: each says what to do ----------------------------------------------
printf 'gene\tc1\tc2\ng1\t1\t0.5\ng2\t0\t3\n' > real.tsv
ovx-import -q --rows genes real.tsv -o real.ovx
has "real values import, and qc refuses them" 1 'no count' ovx-qc real.ovx
printf 'gene\tc1\tc2\ng1\t1\t-2\n' > neg.tsv && ovx-import -q --rows genes neg.tsv -o neg.ovx
has "negative values: normalize" 1 'no count' ovx-normalize neg.ovx
printf 'gene\tc1\tc2\ng1\t1\tnan\n' > nan.tsv && ovx-import -q --rows genes nan.tsv -o nan.ovx
has "NaN: hvg" 1 'no count' ovx-hvg nan.ovx
has "a table needs --rows" 2 'rows genes' ovx-import real.tsv
printf 'AAA-1\nAAA-1\nAAC-1\nAAD-1\nAAE-1\n' > un/barcodes.tsv
has "duplicated barcodes" 1 'AAA-1 stands there twice' ovx-import un
has "no matrix in a folder" 1 'matrix.mtx' ovx-import "$work/none-$(mkdir none-; echo)"
has "a file that is nothing" 1 'not an ovx stream but text' ovx-qc real.tsv
gzip -k real.tsv
has "a gzipped file" 1 'gzip' ovx-qc real.tsv.gz
ovx-simulate -q --cells 120 --genes 3000 --types 3 -o s.ovx
ovx-simulate -q --cells 60 --genes 3000 --samples 1 -o one.ovx
has "a batch column that does not exist, with those that do" 1 'batch, cell_type' ovx-qc -b donor s.ovx
has "and one that is misspelt" 1 'did you mean sample' ovx-qc -b smaple s.ovx
ovx-normalize -q s.ovx | ovx-hvg -q --n-top 300 | ovx-scale -q | ovx-pca -q -k 10 -o p.ovx
ovx-normalize -q one.ovx | ovx-hvg -q --n-top 300 | ovx-scale -q | ovx-pca -q -k 10 -o pone.ovx
has "one batch only" 1 'one batch only' ovx-harmony -b sample pone.ovx
has "harmony without -b" 2 'obs column' ovx-harmony p.ovx
has "more neighbours than cells" 2 'only 120 cells' ovx-knn -k 121 p.ovx
has "more components than cells" 2 '' ovx-pca -k 120 p.ovx
has "pca before scale" 1 'ovx-scale' ovx-pca s.ovx
has "cluster before knn" 1 'ovx-knn' ovx-cluster p.ovx
has "knn before pca" 1 'ovx-pca' ovx-knn s.ovx
has "a section that is not there" 1 'did you mean' ovx-dump -p obs/celltype s.ovx
has "an option that is misspelt" 2 'did you mean --resolution' ovx-cluster --resoltion 1 p.ovx
has "a delta without its base" 1 'base' ovx-dump -p X <(ovx-cut -q -n -e 'doublet==0' s.ovx)
has "a delta of another base" 1 'other' ovx-join one.ovx <(ovx-normalize -q -n s.ovx)
: > e.tsv
mkdir empty && printf 'E1\tA\n' > empty/genes.tsv && : > empty/barcodes.tsv && printf '%%%%MatrixMarket matrix coordinate integer general\n1 0 0\n' > empty/matrix.mtx
is "an empty matrix imports" "0 1" "$(ovx-import -q empty | ovx-dump -l | awk '$1 == "X" { print $4, $5 }')"

# --- cut, paste, cat -------------------------------------------------------------
is "cut: expression over columns" "$(ovx-dump -p obs/cell_type s.ovx | grep -c type2)" "$(ovx-cut -q -e 'cell_type == "type2"' s.ovx | ovx-dump -p obs | sed 1d | wc -l)"
is "cut: in, and, not, numbers" "$(paste <(ovx-dump -p obs/cell_type s.ovx) <(ovx-dump -p obs/depth s.ovx) | awk -F '\t' 'NR > 1 && $2 ~ /type[13]/ && !($4 > 600)' | wc -l)" \
	"$(ovx-cut -q -e 'cell_type in (type1, type3) && !(depth > 600)' s.ovx | ovx-dump -p obs | sed 1d | wc -l)"
is "cut: a pattern" "$(ovx-dump -p obs s.ovx | grep -c '^A')" "$(ovx-cut -q -e 'name ~ "^A"' s.ovx | ovx-dump -p obs | sed 1d | wc -l)"
has "cut: a bad expression" 2 'missing' ovx-cut -e 'depth >' s.ovx
ovx-dump -p obs s.ovx | sed 1d | head -n 7 > seven
is "cut: a list" "$(tr '\n' ' ' < seven)" "$(ovx-cut -q --cells seven s.ovx | ovx-dump -p obs | sed 1d | tr '\n' ' ')"
is "cut: not a list" 113 "$(ovx-cut -q --not --cells seven s.ovx | ovx-dump -p obs | sed 1d | wc -l)"
is "cut: sections" "X obs obs/depth var" "$(ovx-cut -q -p X -p obs/depth s.ovx | ovx-dump -l | sed 1d | cut -f 1 | grep -v log/ | sort | tr '\n' ' ' | sed 's/ $//')"
is "cut: genes alone" "$(ovx-dump -p X s.ovx | awk 'NR > 1 && $2 ~ /^G0[0-4]/' | sort | cksum) ok" "$(ovx-cut -q --gene-expr 'name ~ "^G0[0-4]"' s.ovx | tee g.ovx | ovx-dump -p X | sed 1d | sort | cksum) $(ovx-check g.ovx | cut -f 2)"
is "cut: without a selection the same bytes" "$(cksum < s.ovx)" "$(ovx-cut -q s.ovx | cksum)"
printf 'name,score,kind,flag\nnobody,1,a,True\n' > t.csv
sed 's/$/,2.5,b,False/' seven >> t.csv
ovx-paste --obs t.csv s.ovx -o pasted.ovx 2> err
is "paste: missing and surplus names are counted" "113 1" "$(sed -n 's/.*: \([0-9]*\) cells of the input are missing.* \([0-9]*\) of its rows are surplus.*/\1 \2/p' err)"
is "paste: numbers with missing values" "2.5 nan" "$(col obs/score pasted.ovx | awk '{ print $1, $NF }')"
has "paste: --strict" 1 'missing' ovx-paste --strict --obs t.csv s.ovx
ovx-cut -q --cells <(head -n 60 <(ovx-dump -p obs s.ovx | sed 1d)) s.ovx -o h1.ovx
ovx-cut -q --cells <(tail -n 60 <(ovx-dump -p obs s.ovx | sed 1d)) --genes <(ovx-dump -p var s.ovx | sed 1d | tail -n 2000) s.ovx -o h2.ovx
is "cat: inner, names, samples" "120 2000 a_ 60" "$(ovx-cat -q a=h1.ovx b=h2.ovx -o ab.ovx; ovx-dump -l ab.ovx | awk '$1 == "X" { printf "%s %s ", $4, $5 }'; ovx-dump -p obs ab.ovx | sed -n 2p | cut -c 1-2 | tr '\n' ' '; col obs/sample ab.ovx | tr ' ' '\n' | grep -c '^b$')"
is "cat: outer" 3000 "$(ovx-cat -q --join outer a=h1.ovx b=h2.ovx | ovx-dump -l | awk '$1 == "X" { print $5 }')"
is "cat: the halves are the whole" "$(ovx-dump -p X s.ovx | sed 1d | sort | cksum)" "$(ovx-cat -q --keep-names a=h1.ovx b=<(ovx-cut -q --cells <(tail -n 60 <(ovx-dump -p obs s.ovx | sed 1d)) s.ovx) | ovx-dump -p X | sed 1d | sort | cksum)"
has "cat: equal names" 1 'stands in two inputs' ovx-cat --keep-names a=h1.ovx b=h1.ovx

has "cut: --not alone" 2 'expression' ovx-cut --not -e 'depth > 1' s.ovx
is "cut: true and false" "$(ovx-cut -q -e 'doublet == 0' s.ovx | ovx-dump -p obs | cksum)" "$(ovx-cut -q -e 'doublet == false' s.ovx | ovx-dump -p obs | cksum)"
is "cut: a list from a pipe has the bytes of one from a file" "$(ovx-cut -q --cells seven s.ovx | cksum)" "$(ovx-cut -q --cells <(cat seven) s.ovx | cksum)"
is "import: a table from a pipe" "$(ovx-import -q --rows genes real.tsv | ovx-dump -p X | cksum)" "$(ovx-import -q --rows genes < real.tsv | ovx-dump -p X | cksum)"
is "cut: layers and components are not stale after it" ok "$(ovx-cut -q -e 'depth > 300' p.ovx | ovx-check | cut -f 2)"
is "check: a delta that drops cells is no stale stream" ok "$(ovx-qc -q -n --min-umis 1 --min-genes 200 s.ovx 2> /dev/null | ovx-check | cut -f 2)"
has "cluster: an asymmetric graph" 1 'not symmetric' ovx-cluster -p obsp/distances <(ovx-knn -q p.ovx)
has "harmony: a column that is no batch" 1 'no column of batches' ovx-harmony -b depth p.ovx

is "cut: a pipe gives the bytes of a file" "$(ovx-cut -q -e 'depth > 300' p.ovx | cksum)" "$(cat p.ovx | ovx-cut -q -e 'depth > 300' | cksum)"
is "cut: cells then genes, or genes then cells" "$(ovx-cut -q -e 'depth > 300' p.ovx | ovx-cut -q --gene-expr highly_variable | ovx-cut -q --drop 'log/*' | ovx-dump -l | cksum) ok" "$(ovx-cut -q --gene-expr highly_variable p.ovx | ovx-cut -q -e 'depth > 300' | ovx-cut -q --drop 'log/*' | ovx-dump -l | cksum) $(cat p.ovx | ovx-cut -q -e 'depth > 300' | ovx-check | cut -f 2)"
has "--json onto the output" 2 'file of its own' ovx-cut -o j.ovx --json j.ovx p.ovx
has "-o without a name" 2 'is empty' ovx-cut -o '' p.ovx
is "closed standard streams do not end up in the output" ok "$(ovx-qc -v --flag -o closed.ovx s.ovx <&- 2>&-; ovx-check closed.ovx | cut -f 2)"
printf 'name,lot\n' > lot.csv; sed 's/$/,NA/' seven >> lot.csv; sed '1,7d' <(ovx-dump -p obs s.ovx | sed 1d) | sed 's/$/,x/' >> lot.csv
has "missing batch labels are refused" 1 'values are missing' ovx-qc -b lot <(ovx-paste -q --obs lot.csv s.ovx)

# --- outputs: links, long names, --json; sizes -------------------------------------
mkdir real && ln -s real/one.ovx link && ovx-cut -q h1.ovx -o link
is "-o on a link to nothing yet: the link stays, its target is made" "link ok" "$([ -L link ] && echo link) $(ovx-check real/one.ovx | cut -f 2)"
ovx-cut -q h2.ovx -o link
is "-o on a link to a file: the target is replaced" "link $(cksum < h2.ovx)" "$([ -L link ] && echo link) $(cksum < real/one.ovx)"
long=$(printf 'n%.0s' $(seq 250))
is "-o: a name of 250 letters, twice" "0 0" "$(ovx-cut -q h1.ovx -o $long; echo $?) $(ovx-cut -q h1.ovx -o $long; echo $?)"
has "--json that cannot be written is said before the work" 1 'nowhere' ovx-cut h1.ovx -o j.ovx --json nowhere/j.json
has "--json on a full disk is, too, before the output is there" 1 'json /dev/full' ovx-cut h1.ovx -o j.ovx --json /dev/full
is "and no output is left" no "$([ -e j.ovx ] && echo yes || echo no)"
has "-M 0" 2 'memory' ovx-cut -M 0 h1.ovx
has "-M in hex" 2 'no size' ovx-cut -M 0x10M h1.ovx

# --- columns of several samples -------------------------------------------------------
ovx-dump -p obs h1.ovx | awk 'NR == 1 { print "name\tbig\tyes\tlot"; next } { print $1 "\t" (NR == 2 ? "9007199254740993" : NR) "\t" (NR % 2 ? "True" : "False") "\t" NR % 12 }' > big.tsv
ovx-paste -q --obs big.tsv h1.ovx -o big.ovx
ovx-cat -q a=big.ovx b=h2.ovx -o joined.ovx 2> err
is "cat: whole numbers stay exact where a sample lacks them" "int64 9007199254740993 nan" "$(ovx-dump -l joined.ovx | awk '$1 == "obs/big" { print $3 }') $(col obs/big joined.ovx | awk '{ print $1, $NF }')"
is "cat: booleans stay boolean" "bool 0 1 nan" "$(ovx-dump -l joined.ovx | awk '$1 == "obs/yes" { print $3 }') $(col obs/yes joined.ovx | awk '{ print $1, $2, $NF }')"
is "cat: a column called like -b is replaced, and it is said" 1 "$(grep -c 'obs/sample of the inputs is replaced' err)"
is "cat: types that all have stay" "$(ovx-dump -l s.ovx | awk '/^obs.depth|^obs.doublet/ { print $3 }' | sort | tr '\n' ' ')" "$(ovx-dump -l ab.ovx | awk '/^obs.depth|^obs.doublet/ { print $3 }' | sort | tr '\n' ' ')"
ovx-knn -q p.ovx | ovx-cut -q --drop obsm/X_pca -o left.ovx
is "cat: what is left out is named in full" 1 "$(ovx-cat -q a=left.ovx b=p.ovx 2>&1 > /dev/null | grep -c 'obsp/distances.*obsm/X_pca')"
has "cat: too little memory is said before the work" 137 'needs about' ovx-cat -M 16M a=h1.ovx b=h2.ovx
awk 'BEGIN { printf "name"; for (i = 0; i < 4000; i++) printf "\tc%d", i; print "" } { printf "%s", $1; for (i = 0; i < 4000; i++) printf "\t%d", i; print "" }' seven > wide.tsv
ovx-cut -q --cells seven s.ovx | ovx-paste -q --obs wide.tsv -o wide.ovx
is "cat: 4,000 columns in a moment" 4001 "$(timeout 20 ovx-cat -q a=wide.ovx b=wide.ovx 2> /dev/null | ovx-dump -l | grep -cE '^obs/(c[0-9]|sample)')"
printf 'name,score,kind,score\n' > twice.csv && sed 's/$/,1,x,2/' seven >> twice.csv
has "paste: a header with a name twice" 1 'two columns are called score' ovx-paste --obs twice.csv s.ovx
has "import: the same" 1 'two columns are called score' ovx-import --obs twice.csv

# --- text that would break a table ----------------------------------------------------
printf 'E1\tA\\B\nE2\tB\n' > old/genes.tsv && printf 'x\ny\n' > old/barcodes.tsv && printf '%%%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 1\n2 2 2\n' > old/matrix.mtx
ovx-import -q old -o odd.ovx
printf 'name,note\nx,"tab\there"\ny,plain\n' > odd.csv
ovx-paste -q --obs odd.csv odd.ovx -o odd2.ovx
is "dump: a tab in a cell is escaped" 'tab\there plain ' "$(col obs/note odd2.ovx)"
is "dump: so is a backslash" 'A\\B B ' "$(ovx-dump -p var odd.ovx | sed 1d | tr '\n' ' ')"
is "export: the same in TSV" 2 "$(ovx-export -q -p obs odd2.ovx | awk -F '\t' '{ print NF }' | sort -u)"

# --- what is too small, and why ---------------------------------------------------------
{ printf 'name\tlot\n'; sed '1s/$/\tone/; 1!s/$/\trest/' <(ovx-dump -p obs s.ovx | sed 1d); } > alone.tsv
has "hvg: a batch of one cell" 1 "'one' has one cell only" ovx-hvg --flavor seurat_v3 -b lot <(ovx-paste -q --obs alone.tsv s.ovx)
has "normalize: a gene that is all there is" 0 'exclude-highly-expressed no' ovx-normalize <(ovx-cut -q --genes <(ovx-dump -p var s.ovx | sed -n 2p) s.ovx)

# --- more rows than the genes are ordered by, in blocks that are not whole ------------------
ovx-simulate -q --cells 66000 --genes 40 --types 2 --seed 5 -o long.ovx
ovx-simulate -q --cells 700 --genes 40 --types 2 --seed 6 -o short.ovx
ovx-cat -q -@ 1 a=long.ovx b=short.ovx -o both.ovx 2> /dev/null
counts() { ovx-dump -p X "$@" | sed 1d | sed 's/^[ab]_//' | sort | cksum; }
for t in a=long b=short; do
	is "cat: the counts of ${t#*=} are those that were" "$(counts ${t#*=}.ovx)" "$(ovx-cut -q -e "sample == \"${t%=*}\"" both.ovx | counts)"
done

# --- what --estimate says is enough, and not far off --------------------------------------
if [ -x "$bin/../helper/peak" ]; then
	ovx-simulate -q --cells 6000 --genes 20000 --samples 1 -o est.ovx
	for t in "cat a=est.ovx b=est.ovx" "export -o est.h5ad est.ovx"; do
		"$bin/../helper/peak" pk ovx-$t -q $([ "${t%% *}" = cat ] && echo -o est2.ovx) 2> err || continue
		is "ovx-${t%% *}: the estimate is an upper bound, within half" yes "$(ovx-$t --estimate 2> /dev/null | awk -v p="$(cat pk)" '$1 == "peak_memory" { print ($2 >= p && $2 < 1.5 * p ? "yes" : p " of " $2) }')"
	done
	for t in "qc" "cut -e depth>0.5" "normalize --exclude-highly-expressed no" "hvg --flavor seurat_v3"; do
		most=$(ovx-$t --estimate -@ 2 -M 1K est.ovx 2>&1 | sed -n 's/.*needs about \([0-9]*\) MB.*/\1/p')
		"$bin/../helper/peak" pk ovx-$t -q -@ 2 -M $((most + 1))M est.ovx -o est2.ovx 2> err
		is "ovx-${t%% *}: works with the memory that it asks for, and takes no more" "0 yes" "$? $([ $(cat pk) -le $((most + 1 << 20)) ] && echo yes || cat pk)"
	done
	is "ovx-cat: -M is kept" yes "$("$bin/../helper/peak" pk ovx-cat -q -M 60M a=est.ovx b=est.ovx -o est2.ovx 2> err; [ $(cat pk) -le $((60 << 20)) ] && echo yes || cat pk)"
fi

# --- a stale section is named ------------------------------------------------------
ovx-normalize -q --target-sum 1000 p.ovx -o stale.ovx
is "check: what was made from something else is stale" "obs/nothing? no: layers/scaled" "obs/nothing? no: $(ovx-check stale.ovx | awk '$2 == "stale" { print $3 }' | grep -o 'layers/scaled')"

# --- permuting the cells permutes the results ---------------------------------------
ovx-simulate -q --cells 400 --genes 2000 --types 4 -o c.ovx
mkdir perm
ovx-dump -p var c.ovx | sed 1d | awk '{ print $1 "\t" $1 }' > perm/genes.tsv
ovx-dump -p obs c.ovx | sed 1d | sort > perm/barcodes.tsv
ovx-dump -p X c.ovx | sed 1d | awk -F '\t' 'FILENAME ~ /genes/ { g[$1] = FNR; next } FILENAME ~ /barcodes/ { c[$1] = FNR; next } { print g[$2], c[$1], $3 }' perm/genes.tsv perm/barcodes.tsv - | sort -k2,2n -k1,1n > e
{ echo '%%MatrixMarket matrix coordinate integer general'; echo "2000 400 $(wc -l < e)"; cat e; } > perm/matrix.mtx
ovx-import -q perm -o d.ovx 2> /dev/null
line() { ovx-qc -q --min-umis 100 --min-genes 50 "$1" 2> /dev/null | ovx-normalize -q | ovx-hvg -q --n-top 500 | ovx-scale -q | ovx-pca -q -k 10 | ovx-knn -q -o "$2"; }
line c.ovx c.out; line d.ovx d.out
sorted() { ovx-dump -p "$1" "$2" | sed 1d | sort; }
is "permuted cells: QC and size factors exactly" "$(sorted obs/size_factor c.out | cksum) $(sorted obs/nUMIs c.out | cksum)" "$(sorted obs/size_factor d.out | cksum) $(sorted obs/nUMIs d.out | cksum)"
is "permuted cells: the same genes" "$(sorted var/highly_variable c.out | cksum)" "$(sorted var/highly_variable d.out | cksum)"
near() { paste <(sorted "$1" c.out) <(sorted "$1" d.out) | awk -v t="$2" -F '\t' '{ n = NF / 2; for (i = 2; i <= n; i++) { d = $i - $(i + n); if (d < 0) d = -d; s = $i < 0 ? -$i : $i; if (d > t * (s > 1 ? s : 1)) bad++ } } END { print bad + 0 }'; }
is "permuted cells: statistics to 1e-9" "0 0" "$(near var/mean 1e-9) $(near var/residual_variances 1e-9)"
# other cells meet in the tiles that are summed as floats
is "permuted cells: PCA to 1e-5" 0 "$(near obsm/X_pca 1e-5)"
is "permuted cells: neighbours as sets" "$(sorted obsp/distances c.out | cut -f 1,2 | cksum)" "$(sorted obsp/distances d.out | cut -f 1,2 | cksum)"
# --- score ----------------------------------------------------------------------------
ovx-simulate -q --cells 500 -o cc.ovx
ovx-normalize -q cc.ovx -o ccn.ovx
ovx-score -q ccn.ovx -o phase.ovx
agree() { paste <(ovx-dump -p obs/phase "$1") <(ovx-dump -p obs/phase_truth "$1") | awk -F '\t' 'NR > 1 { n[$4]++; hit[$4] += $2 == $4 } END { print (hit["S"] > 0.95 * n["S"] && hit["G2M"] > 0.95 * n["G2M"] && hit["G1"] > 0.7 * n["G1"] ? "yes" : hit["G1"] "/" n["G1"] " " hit["S"] "/" n["S"] " " hit["G2M"] "/" n["G2M"]) }'; }
is "score: 95 % of the dividing cells, 70 % of the others are in the true phase" yes "$(agree phase.ovx)"
is "score: the layer as a pipe, another cap, other threads: the same bytes" "$(cksum < phase.ovx) $(cksum < phase.ovx)" "$(cat ccn.ovx | ovx-score -q -@ 3 | cksum) $(ovx-score -q -@ 1 -M 60M ccn.ovx | cksum)"
is "score: a delta joins to the whole, and nothing is stale" "$(cksum < phase.ovx) ok" "$(ovx-score -q -n ccn.ovx -o d.sc; ovx-join -q ccn.ovx d.sc | cksum) $(ovx-check phase.ovx | cut -f 2)"
ovx-dump -p obs/S_score phase.ovx > s1; ovx-dump -p obs/G2M_score phase.ovx > g1
is "score: the phase by its rule" 0 "$(paste s1 g1 <(ovx-dump -p obs/phase phase.ovx) | awk -F '\t' 'NR > 1 { p = $2 < 0 && $4 < 0 ? "G1" : $4 > $2 ? "G2M" : "S"; bad += p != $6 } END { print bad + 0 }')"
# the same data as a mouse's, and as an old annotation has it
mkdir mouse old2 && ovx-export -q -o mouse cc.ovx && cp mouse/* old2 && gunzip mouse/*.gz old2/*.gz
awk -F '\t' -v OFS='\t' '{ $2 = substr($2, 1, 1) tolower(substr($2, 2)); print }' mouse/features.tsv > f && mv f mouse/features.tsv
sed -E 's/\bCENPU\b/MLF1IP/; s/\bPIMREG\b/FAM64A/; s/\bJPT1\b/HN1/' old2/features.tsv > f && mv f old2/features.tsv
ovx-import -q mouse 2> /dev/null | ovx-normalize -q -o mouse.ovx; ovx-import -q old2 2> /dev/null | ovx-normalize -q -o old2.ovx
has "score: a mouse is seen by its names" 0 'mouse: 40 of 43 S genes, 54 of 54 G2M' ovx-score -o mouse2.ovx mouse.ovx
has "score: or said to be one" 1 'of a human cell-cycle' ovx-score --species human mouse.ovx
is "score: retired names are found, with the same scores" "$(cksum < s1) $(cksum < g1)" "$(ovx-score -q old2.ovx -o o.ovx; ovx-dump -p obs/S_score o.ovx | cksum) $(ovx-dump -p obs/G2M_score o.ovx | cksum)"
is "score: --compat takes them by the letter" "43 42" "$(for f in old2 ccn; do ovx-score -q --compat --json j $f.ovx > out; grep -o '"S_score":[0-9]*' j | cut -d : -f 2; done | tr '\n' ' ' | sed 's/ $//')"
printf 'PCNA\tx\nMCM5\n\nnobody\n' > set.txt
ovx-score -q --gene-set a=@set.txt --gene-set b=PCNA,MCM5,nobody,PCNA --gene-set one=G00500 ccn.ovx -o sets.ovx
is "score: a list from a file or from the line" "$(ovx-dump -p obs/a_score sets.ovx | sed 1d | cksum)" "$(ovx-dump -p obs/b_score sets.ovx | sed 1d | cksum)"
is "score: provenance holds the genes, no file" "1 0" "$(ovx-dump -l sets.ovx | awk '/^log/ { print $1 }' | while read -r l; do ovx-dump -p "$l" sets.ovx; done > log; grep -c '^gene-set=a=PCNA,MCM5,nobody$' log) $(grep -c set.txt log)"
is "score: lists alone write no phase" 0 "$(ovx-dump -l sets.ovx | grep -cE '^obs/(phase|S_score)	')"
# 40 genes in 40 bins: each is alone in its own
ovx-dump -p var ccn.ovx | sed 1d | sed -n '301,340p' > forty
is "score: the seed counts, where genes are drawn" "no yes" "$(for n in 5 100000; do [ "$(ovx-score -q --ctrl-size $n -s 1 ccn.ovx | ovx-dump -p obs/S_score | cksum)" = "$(ovx-score -q --ctrl-size $n ccn.ovx | ovx-dump -p obs/S_score | cksum)" ] && echo yes || echo no; done | tr '\n' ' ' | sed 's/ $//')"
has "score: no controls left" 1 'no control genes' ovx-score --bins 40 --gene-set x=$(head -n 1 forty) <(ovx-cut -q --genes forty cc.ovx | ovx-normalize -q --exclude-highly-expressed no 2> /dev/null)
has "score: too few genes for the bins" 1 'too few for 1000 bins' ovx-score --bins 1000 --gene-set x=$(head -n 1 forty) <(ovx-cut -q --genes forty cc.ovx | ovx-normalize -q --exclude-highly-expressed no 2> /dev/null)
has "score: no cell-cycle genes at all" 1 'go by symbols' ovx-score <(ovx-cut -q --genes forty cc.ovx | ovx-normalize -q --exclude-highly-expressed no 2> /dev/null)
has "score: a list of none" 1 'NAME=@FILE' ovx-score --gene-set x=set.txt ccn.ovx
has "score: a centred layer" 2 'centred' ovx-score --layer scaled <(ovx-scale -q ccn.ovx)
has "score: before normalize" 1 'ovx-normalize' ovx-score cc.ovx
has "score: one list of two" 2 'go together' ovx-score --s-genes set.txt ccn.ovx
has "score: two sets of one name" 2 'two sets are called' ovx-score --gene-set a=PCNA --gene-set a=MCM5 ccn.ovx
has "score: a seed beyond the generator's" 2 '2^32' ovx-score -s 4294967296 ccn.ovx
is "score: own lists of the cell cycle" "$(ovx-dump -p obs/phase phase.ovx | cksum)" "$(ovx-dump -p uns/cell_cycle phase.ovx | tr -d '\n' | sed 's/.*"S_score":{"given":43,"genes":\[\([^]]*\)\].*"G2M_score":{"given":54,"genes":\[\([^]]*\)\].*/\1\n\2\n/' | tr -d '"' > lists; ovx-score -q --s-genes <(head -n 1 lists | tr , '\n') --g2m-genes <(sed -n 2p lists | tr , '\n') ccn.ovx | ovx-dump -p obs/phase | cksum)"
# --- doublet --------------------------------------------------------------------------
ovx-simulate -q --cells 900 --genes 6000 --types 4 --doublets 0.1 -s 2 -o db.ovx
ovx-doublet -q -b sample db.ovx -o dbl.ovx 2> err
call() { paste <(ovx-dump -p obs/predicted_doublet "$1") <(ovx-dump -p obs/doublet "$1") | awk -F '\t' 'NR > 1 { n += $4; hit += $2 && $4; false += $2 && !$4 } END { print (hit > n / 5 && false < hit / 2 ? "yes" : n " " hit " " false) }'; }
is "doublet: a fifth of the true ones at least is called, two of three calls are true" yes "$(call dbl.ovx)"
is "doublet: each sample alone gives the same" "$(ovx-dump -p obs/doublet_score dbl.ovx | grep -F -f <(ovx-cut -q -e 'sample == "sample2"' db.ovx | ovx-dump -p obs | sed 1d) | cksum)" "$(ovx-cut -q -e 'sample == "sample2"' db.ovx | ovx-doublet -q -b sample | ovx-dump -p obs/doublet_score | sed 1d | cksum)"
is "doublet: a pipe, another cap, other threads: the same bytes" "$(cksum < dbl.ovx) $(cksum < dbl.ovx)" "$(cat db.ovx | ovx-doublet -q -b sample -@ 3 2> /dev/null | cksum) $(ovx-doublet -q -@ 1 -M 150M -b sample db.ovx 2> /dev/null | cksum)"
is "doublet: a delta joins to the whole, and nothing is stale" "$(cksum < dbl.ovx) ok" "$(ovx-doublet -q -n -b sample db.ovx -o d.db 2> /dev/null; ovx-join -q db.ovx d.db | cksum) $(ovx-check dbl.ovx | cut -f 2)"
is "doublet: a threshold by hand" 0 "$(ovx-doublet -q -b sample --threshold 0.2 db.ovx -o t.db; paste <(ovx-dump -p obs/doublet_score t.db) <(ovx-dump -p obs/predicted_doublet t.db) | awk -F '\t' 'NR > 1 { bad += ($2 > 0.2) != $4 } END { print bad + 0 }')"
is "doublet: --compat has its own seed" "$(ovx-doublet -q --compat -b sample -s 1234 db.ovx 2> /dev/null | ovx-dump -p obs/doublet_score | cksum)" "$(ovx-doublet -q --compat -b sample db.ovx 2> /dev/null | ovx-dump -p obs/doublet_score | cksum)"
has "doublet: samples are not guessed, but said" 0 'there is obs/sample' ovx-doublet -o o.ovx db.ovx
ovx-cut -q -e 'sample == "sample1"' db.ovx -o s1.db; ovx-cut -q --cells <(ovx-dump -p obs db.ovx | sed 1d | head -n 12) db.ovx -o few.db
has "doublet: a small sample gets a warning" 0 'too few cells' ovx-doublet -o few.dbl few.db
is "doublet: and no score, no call" "12 12 12" "$(paste <(ovx-dump -p obs/doublet_score few.dbl) <(ovx-dump -p obs/predicted_doublet few.dbl) | awk -F '\t' 'NR > 1 { n++; s += $2 == "nan"; c += $4 == "nan" } END { print n, s, c }')"
has "doublet: a threshold that is none" 2 'neither auto nor' ovx-doublet --threshold high db.ovx
has "doublet: a column that names no samples" 1 'no column of samples' ovx-doublet -b depth db.ovx
has "doublet: genes of its own with --compat" 2 'own cut-offs' ovx-doublet --compat --n-top 100 db.ovx
has "doublet: a seed beyond the generator's" 2 'at most' ovx-doublet --compat -s 4294967296 db.ovx
finish
