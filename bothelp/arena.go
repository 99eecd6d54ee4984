package bothelp

import "strings"

// arena holds a body's decoded strings in few allocations. They are copies: a decoded event holds on to what was read,
// not to a body that may be a thousand times larger.
type arena struct{ b strings.Builder }

// chunkBytes is what an arena takes at once, at most.
const chunkBytes = 4 << 10

// reserve makes room for the strings of a body of n bytes, if that is little.
func (a *arena) reserve(n int) { a.b.Grow(min(n, chunkBytes)) }

// keep returns text as a string.
func (a *arena) keep(text []byte) string {
	if a.b.Cap()-a.b.Len() < len(text) {
		a.b.Reset() // strings of the chunk that is left keep it alive
		a.b.Grow(max(len(text), chunkBytes))
	}
	start := a.b.Len()
	a.b.Write(text)
	return a.b.String()[start:]
}
