package libchdb

import "unsafe"

// Result is a result, or one piece of a streamed one, in the engine's memory.
type Result struct {
	symbols *symbols
	p       unsafe.Pointer
}

// Stats are a statement's counts of rows.
type Stats struct{ ResultRows, ReadRows, WrittenRows uint64 }

// Bytes returns the formatted data. It is the engine's memory, and valid until Free.
func (r *Result) Bytes() []byte {
	buffer := r.symbols.resultBuffer(r.p)
	if buffer == nil {
		return nil
	}
	return unsafe.Slice((*byte)(buffer), r.symbols.resultLength(r.p))
}

// Stats returns the counts of this result or piece.
func (r *Result) Stats() Stats {
	return Stats{r.symbols.resultRows(r.p), r.symbols.resultStorageRows(r.p), r.symbols.resultRowsWritten(r.p)}
}

// Free releases the result's memory.
func (r *Result) Free() { r.symbols.destroyResult(r.p) }
