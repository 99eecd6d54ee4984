package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"hooktape/store"
)

// Progress is told how many rows of a table are done.
type Progress func(table string, done, total uint64)

// Backup writes all tables into a new folder, while hooktape runs or not. The tables are read one after the other, in the
// order of [store.Tables].
func Backup(ctx context.Context, db *store.Store, dir, version string, progress Progress) (m Manifest, err error) {
	current, known, err := db.Schema(ctx)
	switch {
	case err != nil:
		return m, err
	case current != known:
		return m, fmt.Errorf("the tables are at version %d and this program's at %d; back them up with the program that runs, or run `hooktape migrate` first", current, known)
	}
	if err := newDir(dir); err != nil {
		return m, err
	}
	m = Manifest{Program: programName, Version: version, Schema: current, MadeAt: time.Now().UTC().Truncate(time.Second)}
	for _, table := range store.Tables {
		f, err := backupTable(ctx, db, dir, table, progress)
		if err != nil {
			return m, err
		}
		m.Tables = append(m.Tables, f)
	}
	return m, m.write(dir)
}

func newDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty; a backup goes into a folder of its own", dir)
	}
	return err
}

func backupTable(ctx context.Context, db *store.Store, dir, table string, progress Progress) (f File, err error) {
	total, err := db.CountRows(ctx, table)
	if err != nil {
		return f, err
	}
	f = File{Table: table, Name: table + ".parquet"}
	file, err := Create(filepath.Join(dir, f.Name))
	if err != nil {
		return f, err
	}
	defer file.Discard()
	rows, err := db.TableRows(ctx, table)
	if err != nil {
		return f, err
	}
	defer rows.Close()
	hash := sha256.New()
	size := new(counter)
	w, err := NewWriter(io.MultiWriter(file, hash, size), table, rows.Columns, Exact)
	if err != nil {
		return f, err
	}
	for rows.Next() {
		if err := w.Scan(rows); err != nil {
			return f, err
		}
		if err := w.Write(); err != nil {
			return f, err
		}
		progress(table, w.Rows, total)
	}
	if err := errors.Join(rows.Err(), w.Close()); err != nil {
		return f, err
	}
	f.Rows, f.Bytes, f.SHA256 = w.Rows, int64(*size), hex.EncodeToString(hash.Sum(nil))
	return f, file.Commit()
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
