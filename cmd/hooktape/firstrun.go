package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const firstConfig = `# hooktape's configuration; hooktape.example.yaml explains every key.

sources:
  - name: demo
    token: %s

api:
  tokens:
    # Who logs in to the console, or asks the API, does so with one of these.
    - name: admin
      token: %s
      role: admin

# Where events are delivered to as they arrive:
# endpoints:
#   - name: crm
#     url: https://crm.example.org/hooks
#     subscribe: {}

replay:
  # Lets replays to a URL, made by the role admin or the local command line, go to this machine and its network.
  allow_private: true
`

// ensureConfig writes a first configuration with random secrets where there is none, readable by its owner alone.
func ensureConfig(path string) (written bool, err error) {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = fmt.Fprintf(file, firstConfig, randomToken(), randomToken())
	return true, errors.Join(err, file.Sync(), file.Close())
}

// randomToken has 192 bits of chance, in letters that need no escaping in a URL.
func randomToken() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
