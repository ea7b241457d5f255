/* family - families of genes by name: mitochondrial, ribosomal, haemoglobin, others
 *
 * The mitochondrial prefix is the one of MT- mt- Mt- mt: ATMG, or the trio ctc- nduo- ctb- of C. elegans, that most
 * names start with (the first of equals).  mt- and Mt- mean mouse names: Rps, Rpl, Hb.
 */
#ifndef OVX_FAMILY_H
#define OVX_FAMILY_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct families {
	int n;                  /* at most 32; 0 is mt, 1 ribo, 2 hb */
	struct strs name;
	uint32_t *of;           /* [n_gene] bit f: the gene belongs to family f */
	int64_t n_member[32];
};

/* sets: NAME=PREFIX or NAME=@FILE (names, one a line), added, or replacing a
 * built-in one.  compat: ribo and hb by the human patterns alone, hb with
 * HBEGF and HBS1L in it. */
int families_find(struct families *f, const struct strs *genes, const struct strs *sets, int compat, struct err *e);
void families_clear(struct families *f);

#endif
