package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"hooktape/internal/spool"
	"hooktape/internal/testutil"
	"hooktape/test/harness"
)

// The faults of hooktape's own files.

// bitsFlipped flips a bit in a file of the spool while hooktape is down, in every round in a file of another kind.
// Hooktape must report unreadable records and store all others.
func bitsFlipped(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), ""); err != nil {
		return err
	}
	flipped := map[string]bool{}
	return t.repeat(ctx, func() error {
		// A backlog gives the spool files to damage.
		t.hooktape.Kill()
		t.hooktape.Point(harness.NoClickHouse)
		if err := errors.Join(t.hooktape.Start(ctx), t.goesOn(ctx), harness.Pause(ctx, t.moment())); err != nil {
			return err
		}
		t.hooktape.Kill()
		file, err := flip(filepath.Join(t.hooktape.Dir(), "spool", "events"), flipped)
		if err != nil {
			return err
		}
		t.say(t.name, "a bit of %s", file)
		t.hooktape.Point(t.dsn())
		return t.hooktape.Start(ctx)
	})
}

// flip flips a random bit of a file below dir, of a kind that was not flipped before.
func flip(dir string, before map[string]bool) (string, error) {
	image, err := testutil.ReadFiles(filepath.Join(dir, "db"))
	if err != nil {
		return "", err
	}
	var names []string
	for _, name := range image.Names() {
		if len(image[name]) > 0 && !before[testutil.FileKind(name)] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		clear(before)
		return flip(dir, before)
	}
	name := names[rand.IntN(len(names))]
	before[testutil.FileKind(name)] = true
	data := image[name]
	data[rand.IntN(len(data))] ^= 1 << rand.IntN(8)
	return name, os.WriteFile(filepath.Join(dir, "db", name), data, 0o600)
}

// reported returns the number of lost records that the spool reports, and whether it reports more that it could not
// count.
func (t *trial) reported() (lost int, more bool, err error) {
	if t.hooktape == nil {
		return 0, false, nil
	}
	files, err := filepath.Glob(filepath.Join(t.hooktape.Dir(), "spool", "events", "damaged-*", "damage.json"))
	for _, file := range files {
		var d spool.Damage
		text, failed := os.ReadFile(file)
		if failed == nil {
			failed = json.Unmarshal(text, &d)
		}
		err = errors.Join(err, failed)
		lost, more = lost+int(d.Lost), more || len(d.Unreadable) > 0
	}
	return lost, more, err
}

// configWritten truncates the configuration files of all processes and writes them again, slowly and in pieces. No
// request may be refused because of it, and every event must be delivered.
func configWritten(ctx context.Context, t *trial) error {
	if err := t.beginLive(ctx, hasty); err != nil {
		return err
	}
	for i := range t.suite.rounds {
		for _, h := range t.hooktapes() {
			if err := writeSlowly(ctx, h.Config()); err != nil {
				return err
			}
		}
		if err := t.arrives(ctx); err != nil {
			return err
		}
		t.say(t.name, "%d of %d, %d acknowledged so far", i+1, t.suite.rounds, t.load.Counts().Acked)
	}
	if refused := t.load.Counts().Refused; refused > 0 {
		return fmt.Errorf("%d requests were refused while the configuration was written", refused)
	}
	return nil
}

// writeSlowly truncates a file and writes it again in pieces, as over a slow network, without a rename.
func writeSlowly(ctx context.Context, path string) error {
	const (
		pieces = 8
		pause  = 120 * time.Millisecond
	)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	for i := range pieces {
		if err := harness.Pause(ctx, pause); err != nil {
			return err
		}
		if _, err := file.Write(text[len(text)*i/pieces : len(text)*(i+1)/pieces]); err != nil {
			return err
		}
	}
	// Longer than hooktape takes to read the file again.
	return harness.Pause(ctx, 2*time.Second)
}
