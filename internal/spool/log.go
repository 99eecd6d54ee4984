package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// Pebble's log is a sequence of blocks of 32 KiB that hold chunks:
//
//	+---------+----------+----------+----------------+-----------------+---------+
//	| CRC (4) | size (2) | type (1) | log number (4) | sync offset (8) | payload |
//	+---------+----------+----------+----------------+-----------------+---------+
//
// A commit is one chunk of type full, or a first, some middle and a last one. A chunk of another log number does not
// count, and an old form of chunk has no sync offset.
//
// Pebble reads a log up to the first chunk that is not whole. It takes that for the log's end unless a later sync
// offset lies beyond it. Those offsets cover only part of what was synced, so Pebble takes much damage for an end. A
// spool syncs every commit before it writes the next one, which gives an exact rule: a commit behind a bad place proves
// that the bad place was whole once. A sender may have chosen the bytes behind a bad place, checksums included, so only
// a commit with the spool's id counts there, see commitMark.
const (
	logBlock       = 32 << 10
	chunkHeader    = 11
	chunkHeaderOff = chunkHeader + 8 // with a sync offset
)

type chunkKind int

const (
	badChunk chunkKind = iota
	endChunk           // Pebble closed the log here
	fullChunk
	firstChunk
	middleChunk
	lastChunk
)

// chunkKinds maps the type byte to the kind. 1 to 4 are the types of a manifest's chunks, which have no log number.
var chunkKinds = [13]chunkKind{
	1: fullChunk, 2: firstChunk, 3: middleChunk, 4: lastChunk,
	5: fullChunk, 6: firstChunk, 7: middleChunk, 8: lastChunk,
	9: fullChunk, 10: firstChunk, 11: middleChunk, 12: lastChunk,
}

const (
	firstTypeOfLog      = 5
	firstTypeWithOffset = 9
	manifestChunkHeader = 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parseChunk returns the chunk at the start of b, and its length.
func parseChunk(b []byte, log uint32) (kind chunkKind, payload []byte, length int) {
	if len(b) < chunkHeader || int(b[6]) >= len(chunkKinds) {
		return badChunk, nil, 0
	}
	kind = chunkKinds[b[6]]
	sum := binary.LittleEndian.Uint32(b)
	size := int(binary.LittleEndian.Uint16(b[4:]))
	number := binary.LittleEndian.Uint32(b[7:])
	if b[6] == firstTypeOfLog && sum == 0 && size == 0 && number == log+1 {
		return endChunk, nil, chunkHeader
	}
	head := chunkHeader
	if b[6] >= firstTypeWithOffset {
		head = chunkHeaderOff
	}
	length = head + size
	if kind == badChunk || b[6] < firstTypeOfLog || number != log || length > len(b) || sum != chunkSum(b[6:length]) {
		return badChunk, nil, 0
	}
	return kind, b[head:length], length
}

// parseManifestChunk returns the manifest's chunk at the start of b, and its length.
func parseManifestChunk(b []byte) (kind chunkKind, payload []byte, length int) {
	if len(b) < manifestChunkHeader || b[6] >= firstTypeOfLog {
		return badChunk, nil, 0
	}
	kind = chunkKinds[b[6]]
	length = manifestChunkHeader + int(binary.LittleEndian.Uint16(b[4:]))
	if kind == badChunk || length > len(b) || binary.LittleEndian.Uint32(b) != chunkSum(b[6:length]) {
		return badChunk, nil, 0
	}
	return kind, b[manifestChunkHeader:length], length
}

func chunkSum(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// commitMark returns the bytes that each commit of the spool with this id begins with, after Pebble's header (see
// newBatch). The id is random and no sender learns it, so no sender can imitate a commit. Without an id it is nil, and
// every commit counts.
func commitMark(id [idLen]byte) []byte {
	if id == [idLen]byte{} {
		return nil
	}
	return append([]byte{byte(pebble.InternalKeyKindLogData), idLen}, id[:]...)
}

// hasMark reports whether a commit, or its beginning, has the mark.
func hasMark(commit, mark []byte) bool {
	return mark == nil || len(commit) > batchrepr.HeaderLen && bytes.HasPrefix(commit[batchrepr.HeaderLen:], mark)
}

// readLog calls visit for each whole commit in a log, wherever it lies, and returns where the damage begins, or -1. A
// closed log is damaged unless it is whole up to its end. Behind a bad place only commits with the mark count. The
// commit is valid during visit.
func readLog(r io.Reader, log uint32, closed bool, mark []byte, visit func(commit []byte) error) (damage int64,
	err error) {
	return readChunks(r, func(b []byte) (chunkKind, []byte, int) { return parseChunk(b, log) }, closed, mark, visit)
}

// parser returns the chunk at the start of b, and its length.
type parser func(b []byte) (kind chunkKind, payload []byte, length int)

func readChunks(r io.Reader, parse parser, closed bool, mark []byte, visit func(commit []byte) error) (damage int64,
	err error) {
	damage = -1
	bad := int64(-1) // first place that is not a chunk
	var commit []byte
	open := false // commit has its first chunks
	block := make([]byte, logBlock)
	for at := int64(0); ; at += logBlock {
		n, err := io.ReadFull(r, block)
		if err == io.EOF {
			switch {
			case !closed || damage >= 0:
				return damage, nil
			case bad >= 0:
				return bad, nil
			}
			return at, nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return damage, err
		}
		for i := 0; i < n; {
			kind, payload, length := parse(block[i:n])
			if kind == endChunk && bad >= 0 {
				kind = badChunk
			}
			starts := kind == fullChunk || kind == firstChunk
			if kind == badChunk && n-i < chunkHeaderOff && len(bytes.Trim(block[i:n], "\x00")) == 0 {
				break // no chunk fits into the rest of the block
			}
			if kind == badChunk || open == starts && kind != endChunk {
				open = false
				if bad < 0 {
					bad = at + int64(i)
				}
			}
			switch kind {
			case badChunk:
				length = 1 // look for the next chunk everywhere
			case endChunk:
				return damage, nil
			case fullChunk, firstChunk:
				commit, open = append(commit[:0], payload...), true
			default:
				commit = append(commit, payload...)
			}
			marked := open && hasMark(commit, mark)
			if bad >= 0 && damage < 0 && marked {
				damage = bad
			}
			if open && (kind == fullChunk || kind == lastChunk) {
				if bad < 0 || marked {
					if err := visit(commit); err != nil {
						return damage, err
					}
				}
				open = false
			}
			i += length
		}
	}
}

// logName returns Pebble's name for a log.
func logName(number uint64) string { return fmt.Sprintf("%06d.log", number) }

// logNames lists the logs of a database, oldest first.
func logNames(fs vfs.FS, db string) ([]string, error) {
	names, err := fs.List(db)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		_, _, ok := wal.ParseLogFilename(name)
		return !ok
	})
	slices.SortFunc(names, strings.Compare)
	return names, nil
}

// readLogFile reads a log of the database that has the tail t.
func readLogFile(fs vfs.FS, path string, t tail, visit func(commit []byte) error) (damage int64, err error) {
	number, _, _ := wal.ParseLogFilename(fs.PathBase(path))
	f, err := fs.Open(path)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	return readLog(f, uint32(number), t.closed && t.log == uint64(number), commitMark(t.id), visit)
}
