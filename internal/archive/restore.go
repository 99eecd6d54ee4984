package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"hooktape/internal/store"
)

// insertRows and insertBytes limit one insert.
const (
	insertRows  = 10_000
	insertBytes = 16 << 20
)

// Empty returns an error that names a table with rows. A missing database or table has none.
func Empty(ctx context.Context, db *store.Store) error {
	table, err := db.FilledTable(ctx)
	if err == nil && table != "" {
		err = fmt.Errorf("the database %s is not empty (%s has rows); restore into a new one, which "+
			"`--clickhouse-dsn` names", db.Database(), table)
	}
	return err
}

// Restore inserts a backup that Check has accepted into an empty database, whose tables it creates. After an error the
// database is incomplete.
func Restore(ctx context.Context, db *store.Store, dir string, m Manifest, progress Progress) error {
	if err := Empty(ctx, db); err != nil {
		return err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	for _, f := range m.Tables {
		if err := restoreTable(ctx, db, dir, f, progress); err != nil {
			return fmt.Errorf("%w; the database %s is incomplete: drop it before you try again", err, db.Database())
		}
	}
	return nil
}

func restoreTable(ctx context.Context, db *store.Store, dir string, f File, progress Progress) error {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return err
	}
	defer file.Close()
	columns, err := db.Columns(ctx, f.Table)
	if err != nil {
		return err
	}
	r, err := NewReader(file, f.Bytes, f.Table, columns)
	if err != nil {
		return err
	}
	defer r.Close()
	for done := uint64(0); done < f.Rows; progress(f.Table, done, f.Rows) {
		n, err := insertSome(ctx, db, f.Table, r)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s ends after %d rows of %d", f.Name, done, f.Rows)
		}
		done += n
	}
	switch n, err := db.CountRows(ctx, f.Table); {
	case err != nil:
		return err
	case n > f.Rows, n < f.Rows && !slices.Contains(store.Versioned, f.Table):
		return fmt.Errorf("%s has %d rows after %d were restored; is another program writing to it?", f.Table, n,
			f.Rows)
	}
	return nil
}

// insertSome inserts the next rows and returns their number; 0 at the end of the file.
func insertSome(ctx context.Context, db *store.Store, table string, r *Reader) (n uint64, err error) {
	var block [][]any
	for bytes := 0; len(block) < insertRows && bytes < insertBytes; {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		block = append(block, row)
		bytes += sizeOf(row)
	}
	if len(block) == 0 {
		return 0, nil
	}
	err = db.InsertRows(ctx, table, r.Columns(), func(add func(...any) error) error {
		for _, row := range block {
			if err := add(row...); err != nil {
				return err
			}
		}
		return nil
	})
	return uint64(len(block)), err
}

// sizeOf returns the approximate size of a row.
func sizeOf(row []any) (n int) {
	for _, v := range row {
		switch v := v.(type) {
		case []byte:
			n += len(v)
		case string:
			n += len(v)
		default:
			n += 16
		}
	}
	return n
}
