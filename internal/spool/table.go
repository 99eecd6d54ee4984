package spool

import (
	"context"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// openTable opens a table for reading its keys and values.
func openTable(fs vfs.FS, path string) (sstable.Iterator, func(), error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	o := &pebble.Options{}
	o.EnsureDefaults()
	table, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		readable.Close()
		return nil, nil, err
	}
	it, err := table.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		table.Close()
		return nil, nil, err
	}
	return it, func() { it.Close(); table.Close() }, nil
}

// tableSpan returns the span of the records in a table, if any.
func tableSpan(fs vfs.FS, path string) (s span, any bool, err error) {
	it, closeTable, err := openTable(fs, path)
	if err != nil {
		return s, false, err
	}
	defer closeTable()
	first := it.First()
	if first == nil {
		return s, false, it.Error()
	}
	if s.first, err = parseRecordKey(first.K.UserKey); err != nil {
		return s, false, nil // the state sorts behind every record
	}
	last := it.SeekLT(stateKey, 0)
	if last == nil {
		return s, false, it.Error()
	}
	s.last, err = parseRecordKey(last.K.UserKey)
	return s, err == nil, err
}

// readTable calls visit for every key and value of a table that can be read. It returns an error if some could not.
func readTable(fs vfs.FS, path string, visit func(key, value []byte) error) (err error) {
	// Pebble panics on some data that has the right checksum.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	it, closeTable, err := openTable(fs, path)
	if err != nil {
		return err
	}
	defer closeTable()

	var bad error
	var next uint64 // number of the record to look for
	kv := it.First()
	for {
		for ; kv != nil; kv = it.Next() {
			value, _, err := kv.Value(nil)
			if err != nil {
				bad = err
				continue
			}
			if err := visit(kv.K.UserKey, value); err != nil {
				return err
			}
			if seq, err := parseRecordKey(kv.K.UserKey); err == nil {
				next = seq + 1
			}
		}
		if it.Error() == nil {
			return bad
		}
		bad = it.Error()
		next = behindBadBlock(it, next)
		if kv = it.SeekGE(recordKey(next), 0); it.Error() != nil {
			return bad
		}
	}
}

// maxPerBlock is more records than a block holds.
const maxPerBlock = 256

// behindBadBlock finds the first record behind a bad block, which may hold the records from next on. It is not known
// how many the block holds, nor its first number if it is the first block of the table. So behindBadBlock tries the
// numbers after next one by one, and then bisects for a border between bad and good, which is exact unless there are
// several.
func behindBadBlock(it sstable.Iterator, next uint64) uint64 {
	isGood := func(seq uint64) bool {
		it.SeekGE(recordKey(seq), 0)
		return it.Error() == nil
	}
	for range maxPerBlock {
		if isGood(next) {
			return next
		}
		next++
	}
	bad, good := next, uint64(math.MaxUint64)
	for good-bad > 1 {
		half := bad + (good-bad)/2
		if isGood(half) {
			good = half
		} else {
			bad = half
		}
	}
	return good
}
