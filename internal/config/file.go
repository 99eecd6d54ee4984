package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/setting"
)

// File says where a process's configuration comes from.
type File struct {
	Path string
	Data DataDir // has the passwords of the embedded engine
	Overrides
}

// Overrides are the values of flags and of their environment variables. Those that are not empty take precedence over
// the file.
type Overrides struct {
	IngestAddr    string
	APIAddr       string
	OpsAddr       string
	ClickHouseDSN string
	EmbeddedAddr  string
}

func (o Overrides) apply(c *Config) {
	set := func(target *string, value string) {
		if value != "" {
			*target = value
		}
	}
	set(&c.IngestAddr, o.IngestAddr)
	set(&c.APIAddr, o.APIAddr)
	set(&c.OpsAddr, o.OpsAddr)
	set(&c.ClickHouse.DSN, o.ClickHouseDSN)
	set(&c.Embedded.Addr, o.EmbeddedAddr)
}

// Load reads and checks the file and applies the overrides. The stamp is that of the file as it was read, also when the
// file is invalid. A file that is still being written is setting.ErrChanging.
func (f File) Load() (*Config, setting.Stamp, error) {
	texts, stamp, err := setting.ReadFiles(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, stamp, fmt.Errorf("there is no configuration at %s; `hooktape serve` writes one at its first "+
			"start, --config or --data names another place", f.Path)
	case err != nil:
		return nil, setting.StampOf(f.Path), err
	}
	c, err := Parse(f.Path, texts[0])
	if err != nil {
		return nil, stamp, err
	}
	f.apply(c)
	if !c.UsesEngine() {
		return c, stamp, nil
	}
	return c, stamp, c.findPasswords(f.Data, embedded.ReadPassword)
}

// Parse reads and checks the text of a configuration file; path is for its errors. An error may consist of several, see
// Errors.
func Parse(path string, text []byte) (*Config, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	c := Default()
	c.empty = isEmpty(text)
	if !c.empty { // an empty text would be decoded as null, which removes the defaults
		if err := yaml.NewDecoder(bytes.NewReader(text), formats...).Decode(c); err != nil {
			return nil, decodeError(path, text, err)
		}
	}
	if err := c.resolve(os.LookupEnv); err != nil {
		return nil, withLines(path, text, err)
	}
	return c, nil
}

// isEmpty reports whether a file has nothing but comments.
func isEmpty(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// withLines prefixes each error with the file and the line of its key.
func withLines(path string, text []byte, err error) error {
	var lines []error
	for _, err := range Errors(err) {
		line := ""
		if fault, ok := errors.AsType[*setting.Fault](err); ok {
			line = lineOf(text, "$."+fault.Key)
		}
		lines = append(lines, fmt.Errorf("%s%s: %w", path, line, err))
	}
	return errors.Join(lines...)
}

// Errors returns the errors that an error joins.
func Errors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// lineOf returns ":" and the line of a key or, if the file does not have the key, of the nearest key around it.
func lineOf(text []byte, key string) string {
	for key != "$" && key != "" {
		if path, err := yaml.PathString(key); err == nil {
			if node, err := path.ReadNode(bytes.NewReader(text)); err == nil {
				return fmt.Sprintf(":%d", node.GetToken().Position.Line)
			}
		}
		key = key[:strings.LastIndexAny(key, ".[")]
	}
	return ""
}
