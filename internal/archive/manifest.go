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

// Manifest says what a backup is.
type Manifest struct {
	Program string    `json:"program"` // hooktape
	Version string    `json:"version"` // of the program that made it
	Schema  int64     `json:"schema"`  // of the tables
	MadeAt  time.Time `json:"made_at"`
	Tables  []File    `json:"tables"`
}

// File is a table in a backup.
type File struct {
	Table  string `json:"table"`
	Name   string `json:"file"`
	Rows   uint64 `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Unreadable are the rows that the table had and the backup has not, because they are damaged.
	Unreadable []store.Unreadable `json:"unreadable,omitempty"`
}

const (
	manifestName = "manifest.json"
	programName  = "hooktape"
)

// Rows counts those of all tables.
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

// Check reads a backup's manifest and all of its files, and says in a sentence what keeps it from being restored by this
// program: it is none, it is of a newer one, or it is not what was written.
func Check(dir string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s has no %s: it is no backup, or one that did not come to its end", dir, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Program != programName || m.Schema == 0 {
		return m, fmt.Errorf("%s is not hooktape's: it was made by another program, or is damaged", filepath.Join(dir, manifestName))
	}
	known, err := store.KnownSchema()
	if err != nil {
		return m, err
	}
	if m.Schema > known {
		return m, fmt.Errorf("the backup is of hooktape %s, whose tables are newer (%d) than those of this program (%d); install that or a newer one", m.Version, m.Schema, known)
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
		return fmt.Errorf("the backup has a table %q, which this program does not know", f.Table)
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
		return fmt.Errorf("%s is not the file that was written: it is damaged or was changed (%d bytes, %d were written)", filepath.Join(dir, f.Name), n, f.Bytes)
	}
	return nil
}
