package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"hooktape/internal/certificate"
	"hooktape/internal/testutil"
	"hooktape/test/harness"
)

// target is a hooktape under attack.
type target struct {
	hooktape *harness.Hooktape
	engine   *harness.Engine
	tls      bool

	attackers       sync.WaitGroup
	opened, refused atomic.Int64
}

func newTarget(ctx context.Context, processes *harness.Harness, secure bool, settings string) (*target, error) {
	t := &target{tls: secure}
	var err error
	if t.engine, err = processes.NewEngine(ctx); err != nil {
		return nil, err
	}
	api, err := testutil.FreeAddr()
	if err != nil {
		return nil, err
	}
	settings += "\napi_addr: " + api + "\n"
	if secure {
		dir, err := processes.NewDir("certificate")
		if err != nil {
			return nil, err
		}
		cert := filepath.Join(dir, "cert.pem")
		key := filepath.Join(dir, "key.pem")
		if err := writeCertificate(cert, key); err != nil {
			return nil, err
		}
		settings += fmt.Sprintf("tls: {cert: %q, key: %q}\n", cert, key)
	}
	t.hooktape, err = processes.NewServe(ctx, t.engine.DSN("hooktape"), settings)
	return t, err
}

func (t *target) end() {
	t.hooktape.Kill()
	t.engine.Kill()
}

// writeCertificate creates a self-signed certificate.
func writeCertificate(certFile, keyFile string) error {
	cert, err := certificate.SelfSigned()
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		0o600); err != nil {
		return err
	}
	return os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}

// dial connects from 127.0.0.2 or a later address. A failed connection counts as refused.
func (t *target) dial(ctx context.Context, address int) net.Conn {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+address))}
	c, err := (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).DialContext(ctx, "tcp", t.hooktape.Addr)
	if err == nil && t.tls {
		secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		handshake, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err = secure.HandshakeContext(handshake); err != nil {
			c.Close()
		}
		c = secure
	}
	if err != nil {
		t.refused.Add(1)
		return nil
	}
	t.opened.Add(1)
	return c
}

// crowd opens connections from several addresses and calls attack with each, until ctx ends. It returns when all have
// begun.
func (t *target) crowd(ctx context.Context, connections, addresses int, attack func(net.Conn) error) {
	var begun sync.WaitGroup
	atOnce := make(chan struct{}, 64)
	for i := range connections {
		begun.Add(1)
		atOnce <- struct{}{}
		t.attackers.Go(func() {
			c := t.dial(ctx, i%addresses)
			<-atOnce
			begun.Done()
			if c == nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { c.Close() })
			if err := attack(c); err != nil && ctx.Err() == nil {
				t.refused.Add(1)
			}
			stop()
			c.Close()
		})
	}
	begun.Wait()
}
