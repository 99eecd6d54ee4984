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

	"hooktape/internal/store"
)

// Progress receives how many rows of a table are done.
type Progress func(table string, done, total uint64)

// Backup writes all tables into a new directory, whether hooktape runs or not, one after the other in the order of
// [store.Tables]. Damaged rows are left out and named in the manifest.
func Backup(ctx context.Context, db *store.Store, dir, version string, progress Progress) (m Manifest, err error) {
	schema, err := db.SchemaNow(ctx)
	switch {
	case err != nil:
		return m, err
	case schema.At != schema.Known:
		return m, fmt.Errorf("the tables are at version %d and this program's at %d; back them up with the program "+
			"that runs, or run `hooktape migrate` first", schema.At, schema.Known)
	}
	if err := newDir(dir); err != nil {
		return m, err
	}
	m = Manifest{Program: programName, Version: version, Schema: schema.At,
		MadeAt: time.Now().UTC().Truncate(time.Second)}
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
		return fmt.Errorf("%s is not empty; a backup needs an empty directory", dir)
	}
	return err
}

func backupTable(ctx context.Context, db *store.Store, dir, table string, progress Progress) (f File, err error) {
	total, err := db.CountRows(ctx, table)
	if err != nil {
		return f, err
	}
	f = File{Table: table, Name: table + ".parquet"}
	err = f.write(ctx, db, dir, func(each func(*store.Rows) error) error {
		rows, err := db.TableRows(ctx, table)
		if err != nil {
			return err
		}
		defer rows.Close()
		return each(rows)
	}, func(done uint64) { progress(table, done, total) })
	if err == nil || ctx.Err() != nil {
		return f, err
	}
	damaged, checkErr := db.DamagedPartsOf(ctx, table)
	if checkErr != nil || len(damaged) == 0 {
		return f, err
	}
	var lost []store.Unreadable
	err = f.write(ctx, db, dir, func(each func(*store.Rows) error) error {
		lost, err = db.ReadableRows(ctx, table, damaged, each)
		return err
	}, func(done uint64) { progress(table, done, total) })
	f.Unreadable = lost
	return f, err
}

// write creates the file from the rows that read passes to its function.
func (f *File) write(ctx context.Context, db *store.Store, dir string, read func(each func(*store.Rows) error) error,
	progress func(done uint64)) error {
	columns, err := db.Columns(ctx, f.Table)
	if err != nil {
		return err
	}
	file, err := Create(filepath.Join(dir, f.Name))
	if err != nil {
		return err
	}
	defer file.Discard()
	hash := sha256.New()
	w, err := NewWriter(io.MultiWriter(file, hash), f.Table, columns, Exact)
	if err != nil {
		return err
	}
	err = read(func(rows *store.Rows) error {
		for rows.Next() {
			if err := w.Scan(rows); err != nil {
				return err
			}
			if err := w.Write(); err != nil {
				return err
			}
			progress(w.Rows)
		}
		return rows.Err()
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	if f.Bytes, err = file.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	f.Rows = w.Rows
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return file.Commit()
}
