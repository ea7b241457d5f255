/* par - see par.h */
#include "os/par.h"

#include <pthread.h>
#include <stdatomic.h>
#include "base/mem.h"

struct job {
	par_fn *fn;
	void *ctx;
	int64_t n, block, n_block;
	atomic_llong next;
	atomic_llong failed;    /* smallest block that failed, or n_block */
	struct err err;         /* of that block */
};

struct par {
	pthread_t *thread;
	int n;                  /* workers, the caller included */
	int n_id;               /* ids handed out */
	void (*init)(void);
	pthread_mutex_t lock;
	pthread_cond_t go, done;
	struct job *job;
	long turn;              /* number of the job that runs or ran last */
	int busy;
	int quit;
};

static void
work(struct par *p, struct job *j, int worker)
{
	for (;;) {
		int64_t b = atomic_fetch_add(&j->next, 1), lo, hi;
		struct err e = {0};

		if (b >= j->n_block || b > atomic_load(&j->failed))
			return;
		lo = b * j->block;
		hi = lo + j->block < j->n ? lo + j->block : j->n;
		if (!j->fn(j->ctx, lo, hi, worker, &e) && !e.code)
			continue;
		if (p)
			pthread_mutex_lock(&p->lock);
		if (b < atomic_load(&j->failed)) {
			atomic_store(&j->failed, b);
			j->err = e;
		}
		if (p)
			pthread_mutex_unlock(&p->lock);
	}
}

static void *
thread_main(void *arg)
{
	struct par *p = arg;
	long seen = 0;
	int id;

	if (p->init)
		p->init();
	pthread_mutex_lock(&p->lock);
	id = ++p->n_id;
	for (;;) {
		while (!p->quit && p->turn == seen)
			pthread_cond_wait(&p->go, &p->lock);
		if (p->quit)
			break;
		seen = p->turn;
		pthread_mutex_unlock(&p->lock);
		work(p, p->job, id);
		pthread_mutex_lock(&p->lock);
		if (--p->busy == 0)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct par *
par_new(int n, void (*init)(void))
{
	struct par *p = mem_new(struct par, 1);
	pthread_attr_t attr;

	p->init = init;
	p->n = 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->go, NULL);
	pthread_cond_init(&p->done, NULL);
	p->thread = mem_new(pthread_t, n);
	/* Small stacks: under a limit of the address space the default of 8 MB a
	 * thread is what fails first. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 2 << 20);
	while (p->n < n && !pthread_create(&p->thread[p->n - 1], &attr, thread_main, p))
		p->n++;
	pthread_attr_destroy(&attr);
	return p;
}

void
par_free(struct par *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = 1;
	pthread_cond_broadcast(&p->go);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->n - 1; i++)
		pthread_join(p->thread[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->go);
	pthread_cond_destroy(&p->done);
	mem_free(p->thread);
	mem_free(p);
}

int
par_n(const struct par *p)
{
	return p ? p->n : 1;
}

int
par_for(struct par *p, int64_t n, int64_t block, par_fn *fn, void *ctx, struct err *e)
{
	struct job j = {0};

	if (e->code || n <= 0)
		return e->code;
	BUG_IF(block <= 0);
	j.fn = fn;
	j.ctx = ctx;
	j.n = n;
	j.block = block;
	j.n_block = (n + block - 1) / block;
	atomic_init(&j.next, 0);
	atomic_init(&j.failed, j.n_block);
	if (!p || p->n == 1 || j.n_block == 1) {
		work(NULL, &j, 0);
	} else {
		pthread_mutex_lock(&p->lock);
		BUG_IF(p->busy);
		p->job = &j;
		p->busy = p->n - 1;
		p->turn++;
		pthread_cond_broadcast(&p->go);
		pthread_mutex_unlock(&p->lock);
		work(p, &j, 0);
		pthread_mutex_lock(&p->lock);
		while (p->busy)
			pthread_cond_wait(&p->done, &p->lock);
		p->job = NULL;
		pthread_mutex_unlock(&p->lock);
	}
	if (j.err.code)
		*e = j.err;
	return e->code;
}
