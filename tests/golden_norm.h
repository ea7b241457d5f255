/* golden_norm - cases of left alignment with their results
 *
 * Each row was agreed on by bcftools norm 1.23, vt normalize and an independent program, but where the two differ: lower case
 * (results are upper case here), IUPAC codes in the reference (N), and an ALT that is the REF (left as it is).
 */
#ifndef OVX_GOLDEN_NORM_H
#define OVX_GOLDEN_NORM_H

static const struct { const char *name, *seq; } golden_ref[] = {
	{ "hp", "GATCAAAAAATGCTAGGCCTTACG" },
	{ "str", "TTGGGCACACACATGGTCAGTCATT" },
	{ "tri", "ACCTCAGCAGCAGCAGTTGACGT" },
	{ "start", "AAAAACGTACGTTTGG" },
	{ "sts", "CACACACAGTTTGCA" },
	{ "low", "gatcaaaaaatgctaggccttacg" },
	{ "iup", "GATCRAAAAATGCTNNNNCTAACGTTGA" },
	{ "mix", "GGCATGCCATATTATGCATGCAAT" },
	{ "end", "ACGTTGCATTTTT" },
	{ "two", "C" },
	{ "long", "ACGGCGTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
	    "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
	    "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
	    "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTCAGTCCA" },
};

/* Rows of L and N have one ALT, those of M several, normalised jointly. */
static const struct golden {
	const char *id, *contig;
	int pos;
	const char *ref, *alt;
	int want_pos;
	const char *want_ref, *want_alt;
} golden[] = {
	{ "L01", "hp", 11, "T", "G", 11, "T", "G" },
	{ "L02", "hp", 9, "AA", "A", 4, "CA", "C" },
	{ "L03", "hp", 10, "A", "AA", 4, "C", "CA" },
	{ "L04", "hp", 8, "AAA", "A", 4, "CAA", "C" },
	{ "L05", "hp", 6, "AAAAA", "AAA", 4, "CAA", "C" },
	{ "L06", "hp", 4, "CA", "C", 4, "CA", "C" },
	{ "L07", "str", 11, "ACA", "A", 5, "GCA", "G" },
	{ "L08", "str", 12, "CAT", "CACAT", 5, "G", "GCA" },
	{ "L09", "str", 13, "ATG", "ACACATG", 5, "G", "GCACA" },
	{ "L10", "str", 5, "GCACACACAT", "GT", 5, "GCACACACA", "G" },
	{ "L11", "tri", 14, "CAGT", "T", 4, "TCAG", "T" },
	{ "L12", "tri", 16, "G", "GCAG", 4, "T", "TCAG" },
	{ "L13", "tri", 13, "GCA", "A", 12, "AGC", "A" },
	{ "L14", "mix", 9, "ATATTA", "ATTA", 8, "CAT", "C" },
	{ "L15", "mix", 3, "CATG", "CGTG", 4, "A", "G" },
	{ "L16", "mix", 3, "CATG", "TATG", 3, "C", "T" },
	{ "L17", "mix", 4, "ATGC", "ACAC", 5, "TG", "CA" },
	{ "L18", "mix", 4, "ATG", "CGA", 4, "ATG", "CGA" },
	{ "L19", "mix", 9, "ATA", "ATAC", 11, "A", "AC" },
	{ "L20", "mix", 10, "TAT", "TCGAT", 10, "T", "TCG" },
	{ "L21", "mix", 1, "GGCATG", "GATG", 1, "GGC", "G" },
	{ "L22", "start", 5, "A", "AA", 1, "A", "AA" },
	{ "L23", "start", 4, "AA", "A", 1, "AA", "A" },
	{ "L24", "start", 1, "A", "AA", 1, "A", "AA" },
	{ "L25", "start", 1, "AA", "A", 1, "AA", "A" },
	{ "L26", "start", 1, "AAAAAC", "C", 1, "AAAAAC", "C" },
	{ "L27", "sts", 7, "CAG", "G", 1, "CAC", "C" },
	{ "L28", "sts", 8, "A", "ACA", 1, "C", "CAC" },
	{ "L29", "sts", 1, "CA", "CACA", 1, "C", "CAC" },
	{ "L30", "low", 9, "aa", "a", 4, "CA", "C" },
	{ "L31", "low", 9, "AA", "A", 4, "CA", "C" },
	{ "L32", "iup", 10, "A", "AA", 5, "N", "NA" },
	{ "L33", "iup", 19, "CTA", "CTTA", 19, "C", "CT" },
	{ "L34", "iup", 18, "NCT", "NT", 18, "NC", "N" },
	{ "L35", "iup", 15, "NNNN", "N", 14, "TNNN", "T" },
	{ "L36", "end", 13, "T", "TT", 8, "A", "AT" },
	{ "L37", "end", 9, "TTTTT", "T", 8, "ATTTT", "A" },
	{ "L38", "end", 12, "TT", "T", 8, "AT", "A" },
	{ "L39", "two", 1, "C", "CC", 1, "C", "CC" },
	{ "L40", "two", 1, "C", "G", 1, "C", "G" },
	{ "L41", "long", 355, "TT", "T", 6, "GT", "G" },
	{ "L42", "long", 356, "T", "TT", 6, "G", "GT" },
	{ "N01", "iup", 6, "A", "AA", 5, "N", "NA" },
	{ "N02", "iup", 19, "C", "CNN", 19, "C", "CNN" },
	{ "N03", "iup", 19, "CT", "CNT", 19, "C", "CN" },
	{ "N04", "mix", 12, "TTATG", "TG", 9, "ATAT", "A" },
	{ "N05", "str", 4, "GG", "G", 2, "TG", "T" },
	{ "N06", "str", 13, "A", "ACA", 5, "G", "GCA" },
	{ "N07", "str", 6, "CACACACA", "CACACACACA", 5, "G", "GCA" },
	{ "N08", "str", 6, "CACACACA", "CACACA", 5, "GCA", "G" },
	{ "N09", "tri", 5, "CAGCAGCAGCAG", "CAG", 4, "TCAGCAGCAG", "T" },
	{ "N10", "mix", 5, "TG", "TGATG", 3, "C", "CATG" },
	{ "N11", "mix", 18, "ATG", "A", 18, "ATG", "A" },
	{ "N12", "mix", 16, "GCATGC", "GC", 13, "TATGC", "T" },
	{ "N13", "hp", 1, "G", "GG", 1, "G", "GG" },
	{ "N14", "hp", 1, "GA", "A", 1, "GA", "A" },
	{ "N15", "hp", 23, "CG", "C", 23, "CG", "C" },
	{ "N16", "hp", 24, "G", "GA", 24, "G", "GA" },
	{ "N17", "hp", 12, "GC", "TA", 12, "GC", "TA" },
	{ "N18", "hp", 12, "GCT", "CGA", 12, "GCT", "CGA" },
	{ "N19", "hp", 3, "TCAA", "TAA", 3, "TC", "T" },
	{ "N20", "hp", 10, "ATG", "AG", 10, "AT", "A" },
	{ "N21", "hp", 5, "AAAAAA", "A", 4, "CAAAAA", "C" },
	{ "N22", "hp", 4, "CAAAAAA", "C", 4, "CAAAAAA", "C" },
	{ "N23", "hp", 9, "AAT", "A", 9, "AAT", "A" },
	{ "N24", "hp", 5, "A", "T", 5, "A", "T" },
	{ "N25", "sts", 3, "CA", "C", 3, "CA", "C" },
	{ "N26", "end", 8, "ATTTTT", "A", 8, "ATTTTT", "A" },
	{ "N27", "start", 2, "AAAA", "A", 1, "AAAA", "A" },
	{ "N28", "start", 6, "C", "AC", 1, "A", "AA" },
	{ "N29", "start", 5, "AC", "AAC", 1, "A", "AA" },
	{ "M01", "hp", 9, "AAT", "AT,A", 9, "AAT", "AT,A" },
	{ "M02", "str", 9, "ACACA", "A,ACA", 5, "GCACA", "G,GCA" },
	{ "M03", "hp", 9, "AAT", "AAG,AT", 10, "AT", "AG,T" },
	{ "M04", "str", 12, "CA", "C,CACA,TA", 12, "CA", "C,CACA,TA" },
	{ "M05", "hp", 10, "A", "AA,G", 10, "A", "AA,G" },
	{ "M06", "mix", 3, "CATG", "CGTG,CTTG", 4, "A", "G,T" },
	{ "M07", "hp", 9, "AA", "A,A", 4, "CA", "C,C" },
	{ "M08", "hp", 9, "AA", "A,AA", 9, "AA", "A,AA" },
};

#endif
