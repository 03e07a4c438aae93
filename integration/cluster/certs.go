package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certs are a certificate authority made for one test, a server certificate for
// loopback and a client certificate, in files and in memory.
type Certs struct {
	CAFile, CertFile, KeyFile     string
	ClientCertFile, ClientKeyFile string
	Roots                         *x509.CertPool
	Client                        tls.Certificate
}

// NewCerts writes fresh certificates to a directory. They are valid for a day.
func NewCerts(dir string) (*Certs, error) {
	c, err := newCerts(dir)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	return c, nil
}

func newCerts(dir string) (*Certs, error) {
	ca, err := newPair(1, "test authority", nil)
	if err != nil {
		return nil, err
	}
	server, err := newPair(2, "localhost", ca)
	if err != nil {
		return nil, err
	}
	client, err := newPair(3, "", ca)
	if err != nil {
		return nil, err
	}
	c := &Certs{
		CAFile:   filepath.Join(dir, "ca.pem"),
		CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key"),
		ClientCertFile: filepath.Join(dir, "client.pem"), ClientKeyFile: filepath.Join(dir, "client.key"),
		Roots: x509.NewCertPool(),
	}
	c.Roots.AddCert(ca.cert)
	for name, b := range map[string][]byte{
		c.CAFile: ca.certPEM, c.CertFile: server.certPEM, c.KeyFile: server.keyPEM,
		c.ClientCertFile: client.certPEM, c.ClientKeyFile: client.keyPEM,
	} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return nil, err
		}
	}
	c.Client, err = tls.X509KeyPair(client.certPEM, client.keyPEM)
	return c, err
}

type pair struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
}

// newPair makes a certificate signed by parent, or an authority where that is
// nil.
func newPair(serial int64, name string, parent *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	p := &pair{key: key}
	signer, signerKey := template, key
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign
		template.ExtKeyUsage, template.DNSNames, template.IPAddresses = nil, nil, nil
	} else {
		signer, signerKey = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		return nil, err
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	p.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return p, nil
}
