// Package certificate provides the TLS certificate of a listener: from two files that another program renews, or from a
// certificate authority by ACME (RFC 8555), such as Let's Encrypt.
//
// It promises that a certificate changes without losing a connection, that an invalid certificate never replaces a
// valid one, and that it logs problems before senders notice them. It assumes a clock that is accurate to the hour.
package certificate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/setting"
)

// Files is a certificate with its chain and its key, in two files in PEM.
type Files struct {
	cert, key string
	logger    *slog.Logger
	inForce   atomic.Pointer[tls.Certificate]
	read      [2][]byte // the files' last text, valid or not
}

// Load reads a certificate and its key. Its errors name the file. It accepts an expired certificate; see its Leaf.
func Load(cert, key string) (*tls.Certificate, error) {
	text, err := readBoth(cert, key)
	if err != nil {
		return nil, err
	}
	return parse(cert, key, text)
}

// Open is Load for a listener, which Run then updates. It accepts an expired certificate, with an error in the log,
// because some senders do not check it.
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
		logger.Error("the certificate has expired: senders that check it cannot deliver", "file", cert, "expired",
			pair.Leaf.NotAfter)
	}
	return f, nil
}

func readBoth(cert, key string) (text [2][]byte, err error) {
	both, _, err := setting.ReadFiles(cert, key)
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
		return nil, fmt.Errorf("%s and %s are not a certificate and its key: %w", cert, key, err)
	}
	return &pair, nil
}

func expired(pair *tls.Certificate) bool { return time.Now().After(pair.Leaf.NotAfter) }

// Config returns the TLS configuration of a listener.
func (f *Files) Config() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.inForce.Load(), nil })
}

// config returns what all listeners have in common: TLS 1.2 or newer, and HTTP/2 with clients that support it.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12,
		NextProtos: append([]string{"h2", "http/1.1"}, protocols...)}
}

// look is the interval at which Run reads the files. A test of whole days lengthens it.
var look = time.Second

// nearEnd is the time before the end at which warnings begin: authorities renew a month, or a third of the life, before
// it.
const nearEnd = 10 * 24 * time.Hour

// Run loads the changed files until ctx ends. It refuses a new pair that is invalid or has expired.
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

// renew compares the text and not the times: that detects every kind of change, and the two files are small.
func (f *Files) renew() error {
	text, err := readBoth(f.cert, f.key)
	if errors.Is(err, setting.ErrChanging) {
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
			logger.Warn("the certificate expires soon and has not been renewed", "certificate", name, "expires",
				pair.Leaf.NotAfter)
		})
	}
}

// SelfSigned returns a new certificate without names that does not expire.
func SelfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
