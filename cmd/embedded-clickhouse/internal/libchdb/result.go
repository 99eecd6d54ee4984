package libchdb

import "unsafe"

// Result is a result, or one piece of a streamed one, in the engine's memory.
type Result struct {
	symbols *symbols
	p       unsafe.Pointer
}

// Bytes returns the formatted data. It is the engine's memory, and valid until Free.
func (r *Result) Bytes() []byte {
	buffer := r.symbols.resultBuffer(r.p)
	if buffer == nil {
		return nil
	}
	return unsafe.Slice((*byte)(buffer), r.symbols.resultLength(r.p))
}

// ReadRows returns the number of stored rows that the statement has read.
func (r *Result) ReadRows() uint64 { return r.symbols.resultStorageRows(r.p) }

// Free releases the result's memory.
func (r *Result) Free() { r.symbols.destroyResult(r.p) }
