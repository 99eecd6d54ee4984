package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// tail records how far a database reaches at least. It is a file of its own, written when a log begins and when the
// spool is closed. It reveals a table, an edit of the manifest or a log that has gone missing since, where Pebble sees
// only the end that a crash leaves.
type tail struct {
	log         uint64      // number of the newest log
	last, acked uint64      // the position when the tail was written
	closed      bool        // the log was closed, and nothing written since
	id          [idLen]byte // of the spool
}

const (
	tailName    = "TAIL"
	tailNewName = "TAIL.new" // one that is being written
	tailLen     = 3*8 + 1 + idLen
)

var errTail = errors.New("the tail is not whole")

func (t tail) encode() []byte {
	b := make([]byte, 0, tailLen+4)
	for _, n := range []uint64{t.log, t.last, t.acked} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	closed := byte(0)
	if t.closed {
		closed = 1
	}
	b = append(b, closed)
	b = append(b, t.id[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseTail(b []byte) (t tail, err error) {
	if len(b) != tailLen+4 || binary.BigEndian.Uint32(b[tailLen:]) != crc32.Checksum(b[:tailLen], castagnoli) {
		return tail{}, errTail
	}
	for i, n := range []*uint64{&t.log, &t.last, &t.acked} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	t.closed = b[3*8] == 1
	copy(t.id[:], b[3*8+1:])
	return t, nil
}

// readTail returns the tail of a database. It returns the zero tail, which
// demands nothing, if there is none: a crash may take the first one.
func readTail(fs vfs.FS, db string) (tail, error) {
	b, err := readFile(fs, fs.PathJoin(db, tailName))
	if errors.Is(err, os.ErrNotExist) {
		return tail{}, nil
	}
	if err != nil {
		return tail{}, err
	}
	t, err := parseTail(b)
	if err != nil {
		return tail{}, corruption(fs.PathJoin(db, tailName), err)
	}
	return t, nil
}

// writeTail replaces the tail of a database. The log that it names must be
// durable already. The tail itself need not be: an older one demands less.
func writeTail(fs vfs.FS, db string, t tail) error {
	path := fs.PathJoin(db, tailNewName)
	if err := writeFile(fs, path, t.encode()); err != nil {
		return err
	}
	return fs.Rename(path, fs.PathJoin(db, tailName))
}

// newestLog returns the number of the newest log of a database, or 0.
func newestLog(fs vfs.FS, db string) (uint64, error) {
	names, err := logNames(fs, db)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	number, _, _ := wal.ParseLogFilename(names[len(names)-1])
	return uint64(number), nil
}

// checkTail returns an error if the database, opened at pos, reaches less far than its tail says.
func checkTail(fs vfs.FS, db string, pos position) error {
	t, err := readTail(fs, db)
	if err != nil {
		return err
	}
	log, err := newestLog(fs, db)
	if err != nil {
		return err
	}
	switch {
	case log < t.log:
		return fmt.Errorf("log %d is missing; the newest is %d", t.log, log)
	case pos.last < t.last || pos.acked < t.acked:
		return fmt.Errorf("records up to %d and acks up to %d were written, but only %d and %d are found",
			t.last, t.acked, pos.last, pos.acked)
	}
	return nil
}
