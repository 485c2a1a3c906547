/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the machine that the Promela models run on: processors with store buffers, and locks.
 *
 * TSO, as x86: a store goes into its processor's buffer, and reaches memory, oldest first, at any
 * later time. What fails here fails everywhere; release and acquire cost nothing here, they are the
 * litmus tests' matter. Words that are looked at without their lock are in mem[]; what is looked at
 * under its lock only is a plain variable: the buffer is empty before a lock is seen as free.
 */
byte mem[WORDS];
chan buffer[CPUS] = [6] of { byte, byte };

proctype drain(byte cpu)
{
	byte word, value;

end:	do
	:: atomic { buffer[cpu]?word,value -> mem[word] = value; word = 0; value = 0 }
	od
}

inline store(on, word, value)
{
	buffer[on]!word,value
}

inline barrier(on)
{
	empty(buffer[on])
}

/* Taking a lock is an atomic operation, a full barrier; giving it up is a store. */
inline lock(on, word)
{
	atomic { empty(buffer[on]) && mem[word] == 0 -> mem[word] = 1 }
}

inline unlock(on, word)
{
	buffer[on]!word,0
}

/* A mutex is given up by an atomic operation. */
inline mutex_unlock(on, word)
{
	atomic { empty(buffer[on]) -> mem[word] = 0 }
}

/* Each request ends once. */
byte ended[REQUESTS];

inline end_request(which)
{
	ended[which]++;
	assert(ended[which] == 1)
}
