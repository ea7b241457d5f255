#!/bin/bash
# fault.sh BINDIR HELPERDIR [TOOL...] - the n-th allocation, read and write fails
#
# BINDIR is a build with -DOVX_FAULT (BUILD=asan).  n grows until the tool passes;
# until then it must end with 1, 3 or 137, leave no file, and leak nothing.  FULL=1
# tries every n, else a spread that gets wider.
bin=$(realpath "$1") helper=$(realpath "$2")
shift 2
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/fault.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 failed=0
"$here/fixtures.sh" "$bin" "$helper" "$work/f" 20 60 > /dev/null || { echo "not ok 1 - fixtures"; echo 1..1; exit 1; }
cd "$work/f" || exit 1
export TMPDIR=$work ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=halt_on_error=1:exitcode=98

# The calls of one kind fail; uses b, opts, file, out.
fail() {
	local kind=$1 i=1 step=1 tried=0 bad= st
	while :; do
		rm -f named* fresh.fa.fai
		env OVX_FAIL_$kind=$i "$bin/$b" $opts -q -@ 1 -o $out $file > out 2> err
		st=$?
		tried=$((tried + 1))
		[ $st = 0 ] && break
		case $st in 1 | 3 | 137) ;; *) bad="$kind $i: exit $st"; break ;; esac
		[ -z "$(ls named* 2> /dev/null)" ] || { bad="$kind $i: a file was left"; break; }
		[ $i -lt 200000 ] || { bad="$kind: never passes"; break; }
		i=$((i + step))
		[ "$FULL" ] || step=$((step + (i > 8 ? i / 4 : 0)))
	done
	rm -f named*
	n=$((n + 1))
	if [ -z "$bad" ]; then
		echo "ok $n - $b $opts: failing ${kind}s, $tried tried"
	else
		failed=$((failed + 1))
		echo "not ok $n - $b $opts $file: $bad"
		sed 's/^/# /' err | head -n 20
	fi
}

[ $# -gt 0 ] || set -- $(cd "$bin" && ls)
for b in "$@"; do
	info=$("$bin/$b" --dump contract)
	field() { printf '%s\n' "$info" | awk -F '\t' -v k="$1" '$1 == k { print $2 }'; }
	shape=$(field shape) fixture=$(field fixture) args=$(field args)
	# runs: options, input, output
	sets=("$args|$fixture.ovx|named")
	case $shape in
	source) sets=("$args|$fixture|named") ;;
	variants)
		sets=("$args|$fixture|named")
		if [ "$b" = vx-gnomad ]; then
			head -n 200 sites.vcf > few.vcf
			"$bin/vx-leftalign" -q -f ref.fa sites.vcf -W -o sites.vcf.gz
			cp ref.fa fresh.fa
			# a command is the first argument
			sets+=("$args -f fresh.fa --explain|calls.vcf.gz|named.vcf.gz" "$args -d b=sites.vxg --max-af b_AF=0.1 -W|calls.bcf|named.bcf"
			    "--sites sites.vcf.gz|query.vcf|named" "$args -i AC<5 --mark X|query.vcf|named.bcf" "$args|c1:100:A:C|named"
			    "index --fields AC,AN,AF,grpmax --dup error -f fresh.fa|few.vcf|named.vxg" "index -M 70M --pops|sites.vcf.gz|named.vxg" "merge sites.vxg|sites.vxg|named.vxg")
		elif [ "$fixture" ]; then
			cp ref.fa fresh.fa
			sets+=("-f fresh.fa -m split|calls.vcf.gz|named.vcf.gz" "$args --dedup exact -W|calls.bcf|named.bcf"
			    "$args --guard --old-tag WAS|calls.vcf.gz|named.bcf" "$args -m split --old-tag WAS -W|calls.bcf|named.vcf.gz"
			    "$args -m split -O u|calls.bcf|named" "$args -r c1:5000-40000|calls.vcf.gz|named")
			"$bin/$b" $args -q -W calls.vcf -o calls.vcf.gz
		else
			sets+=("wgs -f ref.fa --records 200 --truth named.truth||named" "cohort -f ref.fa --records 100 --samples 5||named"
			    "gnomad -f ref.fa --records 200||named" "queries -f ref.fa --set respelt --records 50 --truth named.truth||named"
			    "queries -f ref.fa --set shuffled --truth named.truth||named")
		fi
		;;
	esac
	for set in "${sets[@]}"; do
		IFS='|' read -r opts file out <<< "$set"
		for kind in MALLOC READ WRITE; do
			fail $kind
		done
	done
done
echo "1..$n"
[ $failed = 0 ]
