package replay

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"hooktape/internal/setting"
	"hooktape/internal/settled"
)

// config reads the files. Its error is a [*setting.Fault].
func (o TLSOptions) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		texts, _, err := settled.Read(o.CAFile)
		if err != nil {
			return nil, &setting.Fault{Key: "tls.ca_file", Text: err.Error()}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(texts[0]) {
			return nil, &setting.Fault{Key: "tls.ca_file", Text: o.CAFile + " has no certificate in PEM"}
		}
	}
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return c, nil
	case o.CertFile == "":
		return nil, &setting.Fault{Key: "tls.cert_file", Text: "is missing, for there is a key_file"}
	case o.KeyFile == "":
		return nil, &setting.Fault{Key: "tls.key_file", Text: "is missing, for there is a cert_file"}
	}
	pair, _, err := settled.Read(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, &setting.Fault{Key: "tls.cert_file", Text: fmt.Sprintf("with key_file: %v", err)}
	}
	certificate, err := tls.X509KeyPair(pair[0], pair[1])
	if err != nil {
		return nil, &setting.Fault{Key: "tls.cert_file", Text: fmt.Sprintf("with key_file: %v", err)}
	}
	c.Certificates = []tls.Certificate{certificate}
	return c, nil
}
