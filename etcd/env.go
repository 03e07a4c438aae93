package etcd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ConfigFromEnv makes a Config from the environment variables that etcdctl
// reads, so that a program finds the cluster that etcdctl finds. Where nothing
// is set it is the zero Config, which means http://127.0.0.1:2379.
//
//	ETCDCTL_ENDPOINTS                 endpoints, separated by commas
//	ETCDCTL_USER                      "name", or "name:password" if ETCDCTL_PASSWORD is not set
//	ETCDCTL_PASSWORD                  password
//	ETCDCTL_CACERT                    file of the certificate authorities to trust
//	ETCDCTL_CERT, ETCDCTL_KEY         files of the client's certificate and key
//	ETCDCTL_INSECURE_SKIP_TLS_VERIFY  "true": any server certificate will do
//	ETCDCTL_INSECURE_TRANSPORT        "false": https for endpoints without a scheme, whatever else is set
//	ETCDCTL_DIAL_TIMEOUT              bounds connecting, such as "2s"
//
// An empty variable counts as not set. Endpoints without a scheme are reached
// by https if a certificate or authority is given. Unlike etcdctl it does not
// ask for a password that is missing: Config.Password is empty then.
// ETCDCTL_COMMAND_TIMEOUT is for whoever makes the calls, by their contexts,
// and the keepalive variables are about gRPC. ETCDCTL_DISCOVERY_SRV and
// ETCDCTL_AUTH_JWT_TOKEN would lead somewhere else than where this client goes,
// so they are errors. An error names the variable, and no secret.
func ConfigFromEnv() (Config, error) {
	var cfg Config
	e := env{}
	e.refuse("ETCDCTL_DISCOVERY_SRV", "is not supported: set ETCDCTL_ENDPOINTS")
	e.refuse("ETCDCTL_AUTH_JWT_TOKEN", "is not supported: set ETCDCTL_USER and ETCDCTL_PASSWORD")

	cfg.Username, cfg.Password = e.user()
	cfg.TLS.CAFile = e.file("ETCDCTL_CACERT")
	cfg.TLS.CertFile = e.file("ETCDCTL_CERT")
	cfg.TLS.KeyFile = e.file("ETCDCTL_KEY")
	if (cfg.TLS.CertFile == "") != (cfg.TLS.KeyFile == "") {
		e.fail("ETCDCTL_CERT", errors.New("goes together with ETCDCTL_KEY"))
	}
	cfg.TLS.InsecureSkipVerify = e.flag("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", false)
	if !e.flag("ETCDCTL_INSECURE_TRANSPORT", true) {
		cfg.TLS.Base = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.DialTimeout = e.duration("ETCDCTL_DIAL_TIMEOUT")
	cfg.Endpoints = e.endpoints("ETCDCTL_ENDPOINTS", cfg.TLS.configured())
	if e.err != nil {
		return Config{}, invalid("configuration", "", e.err)
	}
	return cfg, nil
}

// env reads variables and keeps the first error.
type env struct{ err error }

func (e *env) fail(name string, err error) {
	if e.err == nil {
		e.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (e *env) refuse(name, why string) {
	if os.Getenv(name) != "" {
		e.fail(name, errors.New(why))
	}
}

func (e *env) user() (name, password string) {
	name, password = os.Getenv("ETCDCTL_USER"), os.Getenv("ETCDCTL_PASSWORD")
	switch {
	case name == "" && password != "":
		e.fail("ETCDCTL_PASSWORD", errors.New("is set and ETCDCTL_USER is not"))
	case password == "":
		name, password, _ = strings.Cut(name, ":")
		if name == "" && password != "" {
			e.fail("ETCDCTL_USER", errors.New("has no name before the colon"))
		}
	}
	return name, password
}

// file gives the path in a variable, having seen that the file can be read: a
// wrong path is found where it was set.
func (e *env) file(name string) string {
	path := os.Getenv(name)
	if path == "" {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		e.fail(name, err)
		return ""
	}
	_ = f.Close()
	return path
}

func (e *env) flag(name string, unset bool) bool {
	v := os.Getenv(name)
	if v == "" {
		return unset
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		e.fail(name, fmt.Errorf("%q is neither true nor false", v))
	}
	return b
}

func (e *env) duration(name string) time.Duration {
	v := os.Getenv(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		e.fail(name, fmt.Errorf("%q is no duration, such as 2s", v))
	case d <= 0:
		e.fail(name, fmt.Errorf("%v is not positive", d))
	}
	return d
}

func (e *env) endpoints(name string, secure bool) []string {
	var list []string
	v := os.Getenv(name)
	if v == "" {
		return nil
	}
	for _, s := range strings.Split(v, ",") {
		s = strings.TrimSpace(s)
		if _, err := parseEndpoint(s, secure); err != nil {
			e.fail(name, err)
		}
		list = append(list, s)
	}
	return list
}
