package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hooktape/internal/store"
)

// Manifest describes a backup.
type Manifest struct {
	Program string    `json:"program"` // hooktape
	Version string    `json:"version"` // of the program that wrote it
	Schema  int64     `json:"schema"`  // version of the tables
	MadeAt  time.Time `json:"made_at"`
	Tables  []File    `json:"tables"`
}

// File describes the file of a table.
type File struct {
	Table  string `json:"table"`
	Name   string `json:"file"`
	Rows   uint64 `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Unreadable are damaged rows of the table that the backup lacks.
	Unreadable []store.Unreadable `json:"unreadable,omitempty"`
}

const (
	manifestName = "manifest.json"
	programName  = "hooktape"
)

// Rows returns the number of rows of all tables.
func (m Manifest) Rows() (n uint64) {
	for _, f := range m.Tables {
		n += f.Rows
	}
	return n
}

func (m Manifest) write(dir string) error {
	file, err := Create(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	defer file.Discard()
	encoder := json.NewEncoder(file)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return err
	}
	return file.Commit()
}

// Check reads a backup's manifest and all of its files. Its error says why this program cannot restore it: it is no
// backup, one of a newer program, or damaged.
func Check(dir string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s has no %s: it is not a backup, or an incomplete one", dir, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Program != programName || m.Schema == 0 {
		return m, fmt.Errorf("%s is of another program, or damaged", filepath.Join(dir, manifestName))
	}
	known, err := store.KnownSchema()
	if err != nil {
		return m, err
	}
	if m.Schema > known {
		return m, fmt.Errorf("the backup is from hooktape %s, which has newer tables (%d) than this program (%d); "+
			"install that version or a newer one", m.Version, m.Schema, known)
	}
	for _, f := range m.Tables {
		if err := f.check(dir); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (f File) check(dir string) error {
	if !slices.Contains(store.Tables, f.Table) || f.Name != f.Table+".parquet" {
		return fmt.Errorf("the backup has an unknown table %q", f.Table)
	}
	file, err := os.Open(filepath.Join(dir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the backup lacks its file %s", f.Name)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	if err != nil {
		return err
	}
	if n != f.Bytes || hex.EncodeToString(hash.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%s is damaged or was changed (%d bytes, %d were written)", filepath.Join(dir, f.Name), n,
			f.Bytes)
	}
	return nil
}
