package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/settled"
)

// Files is a certificate with its chain and its key, in two files in PEM.
type Files struct {
	cert, key string
	logger    *slog.Logger
	inForce   atomic.Pointer[tls.Certificate]
	read      [2][]byte // the files' text when they were last looked at, good or bad
}

// Load reads a certificate and its key. Its errors name the file. That a certificate has expired is none: its Leaf tells.
func Load(cert, key string) (*tls.Certificate, error) {
	text, err := readBoth(cert, key)
	if err != nil {
		return nil, err
	}
	return parse(cert, key, text)
}

// Open is Load for a listener: Run keeps up with the files. An expired certificate is taken, with a warning: some senders
// do not look, and to those that do nothing is lost that would not be lost anyway.
func Open(cert, key string, logger *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, logger: logger}
	var err error
	if f.read, err = readBoth(cert, key); err != nil {
		return nil, err
	}
	pair, err := parse(cert, key, f.read)
	if err != nil {
		return nil, err
	}
	f.inForce.Store(pair)
	if expired(pair) {
		logger.Error("the certificate has expired: senders that check it cannot deliver", "file", cert, "expired", pair.Leaf.NotAfter)
	}
	return f, nil
}

func readBoth(cert, key string) (text [2][]byte, err error) {
	both, _, err := settled.Read(cert, key)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && failed.Path == key {
		return text, fmt.Errorf("the certificate's key cannot be read: %w", err)
	}
	if err != nil {
		return text, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	return [2][]byte(both), nil
}

func parse(cert, key string, text [2][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", cert, key, err)
	}
	return &pair, nil
}

func expired(pair *tls.Certificate) bool { return time.Now().After(pair.Leaf.NotAfter) }

// Config is what a listener needs.
func (f *Files) Config() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.inForce.Load(), nil })
}

// config is common to all listeners: HTTP/2 where the other side can, and TLS 1.2 or newer.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12, NextProtos: append([]string{"h2", "http/1.1"}, protocols...)}
}

const (
	look = time.Second
	// nearEnd is when a warning begins: authorities renew a month or a third of the life before the end.
	nearEnd = 10 * 24 * time.Hour
)

// Run takes up what the files become, until ctx ends. A new pair that cannot be used, or has expired, is refused.
func (f *Files) Run(ctx context.Context) error {
	daily := rate.Sometimes{First: 1, Interval: 24 * time.Hour}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := f.renew(); err != nil {
			f.logger.Error("the changed certificate is refused; the old one stays in force", "error", err)
		}
		warnNearEnd(f.logger, &daily, f.inForce.Load(), f.cert)
	}
}

// renew compares the text, not the times: that sees a change however it is made, and a pair is two small files.
func (f *Files) renew() error {
	text, err := readBoth(f.cert, f.key)
	if errors.Is(err, settled.ErrChanging) {
		return nil
	}
	if bytes.Equal(text[0], f.read[0]) && bytes.Equal(text[1], f.read[1]) {
		return nil
	}
	f.read = text
	if err != nil {
		return err
	}
	fresh, err := parse(f.cert, f.key, text)
	switch {
	case err != nil:
		return err
	case expired(fresh):
		return fmt.Errorf("%s has expired on %s", f.cert, fresh.Leaf.NotAfter.Format(time.DateOnly))
	}
	f.inForce.Store(fresh)
	f.logger.Info("the certificate is renewed", "file", f.cert, "expires", fresh.Leaf.NotAfter)
	return nil
}

func warnNearEnd(logger *slog.Logger, daily *rate.Sometimes, pair *tls.Certificate, name string) {
	if left := time.Until(pair.Leaf.NotAfter); left < nearEnd {
		daily.Do(func() {
			logger.Warn("the certificate ends soon and nobody has renewed it", "certificate", name, "expires", pair.Leaf.NotAfter)
		})
	}
}
