/* lzf - decodes LZF (the format of M. Lehmann's liblzf), which h5py writes and anndata 0.7 used
 *
 * Plain runs of 1 to 32 bytes, and copies of 3 to 264 bytes from at most 8,192 back.
 */
#ifndef OVX_LZF_H
#define OVX_LZF_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that n bytes of src become. */
size_t lzf_length(const uint8_t *src, size_t n);
/* n bytes of src into at most most bytes of dst; the length, or 0 when damaged. */
size_t lzf_decode(const uint8_t *src, size_t n, uint8_t *dst, size_t most);

#endif
