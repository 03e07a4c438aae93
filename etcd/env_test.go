package etcd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// setEnv makes vars the only variables of etcdctl that are set.
func setEnv(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "ETCDCTL_") {
			t.Setenv(name, "")
		}
	}
	for name, v := range vars {
		t.Setenv(name, v)
	}
}

func TestAnEmptyEnvironmentMeansTheLocalEtcd(t *testing.T) {
	setEnv(t, nil)
	cfg, err := ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, Config{}, cfg)
	c, err := New(cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:2379"}, c.Endpoints())
	require.NoError(t, c.Close())
}

func TestTheEnvironmentOfEtcdctlIsFollowed(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	caFile := ca.writeCA(t, dir)
	certFile, keyFile := ca.issue(t, dir, "client", "ann")
	setEnv(t, map[string]string{
		"ETCDCTL_ENDPOINTS":                "10.0.0.1:2379, https://b.example:1234,[::1]:2379",
		"ETCDCTL_USER":                     "ann:pass:word",
		"ETCDCTL_CACERT":                   caFile,
		"ETCDCTL_CERT":                     certFile,
		"ETCDCTL_KEY":                      keyFile,
		"ETCDCTL_INSECURE_SKIP_TLS_VERIFY": "true",
		"ETCDCTL_DIAL_TIMEOUT":             "1500ms",
		"ETCDCTL_COMMAND_TIMEOUT":          "nonsense is not ours",
	})
	cfg, err := ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, "ann", cfg.Username)
	require.Equal(t, "pass:word", cfg.Password)
	require.Equal(t, TLSConfig{CAFile: caFile, CertFile: certFile, KeyFile: keyFile, InsecureSkipVerify: true}, cfg.TLS)
	require.Equal(t, 1500*time.Millisecond, cfg.DialTimeout)
	c, err := New(cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"https://10.0.0.1:2379", "https://b.example:1234", "https://[::1]:2379"}, c.Endpoints())
	require.NoError(t, c.Close())
}

func TestUserAndPasswordComeInOneVariableOrTwo(t *testing.T) {
	for _, test := range []struct{ user, password, wantUser, wantPassword string }{
		{"ann", "", "ann", ""},
		{"ann:pw", "", "ann", "pw"},
		{"ann", "pw", "ann", "pw"},
		{"ann:x", "pw", "ann:x", "pw"}, // with a password of its own the name is whole
		{"ann:", "", "ann", ""},
	} {
		setEnv(t, map[string]string{"ETCDCTL_USER": test.user, "ETCDCTL_PASSWORD": test.password})
		cfg, err := ConfigFromEnv()
		require.NoError(t, err)
		require.Equal(t, test.wantUser, cfg.Username)
		require.Equal(t, test.wantPassword, cfg.Password)
	}
}

func TestSecureTransportCanBeAskedForWithoutAnyFile(t *testing.T) {
	setEnv(t, map[string]string{"ETCDCTL_INSECURE_TRANSPORT": "false", "ETCDCTL_ENDPOINTS": "a.example:2379"})
	cfg, err := ConfigFromEnv()
	require.NoError(t, err)
	c, err := New(cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"https://a.example:2379"}, c.Endpoints())
	require.NoError(t, c.Close())
}

func TestABadVariableIsNamedAndItsSecretIsNot(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for name, test := range map[string]struct {
		vars map[string]string
		want string
	}{
		"no port":        {map[string]string{"ETCDCTL_ENDPOINTS": "http://a:b:c"}, "ETCDCTL_ENDPOINTS"},
		"a secret in it": {map[string]string{"ETCDCTL_ENDPOINTS": "http://u:canary@h:1"}, "ETCDCTL_ENDPOINTS"},
		"an empty one":   {map[string]string{"ETCDCTL_ENDPOINTS": "a:1,,b:1"}, "ETCDCTL_ENDPOINTS"},
		"another scheme": {map[string]string{"ETCDCTL_ENDPOINTS": "unix:///x"}, "ETCDCTL_ENDPOINTS"},
		"no user":        {map[string]string{"ETCDCTL_PASSWORD": "canary"}, "ETCDCTL_PASSWORD"},
		"no name":        {map[string]string{"ETCDCTL_USER": ":canary"}, "ETCDCTL_USER"},
		"no authority":   {map[string]string{"ETCDCTL_CACERT": missing}, "ETCDCTL_CACERT"},
		"no key":         {map[string]string{"ETCDCTL_CERT": os.Args[0]}, "ETCDCTL_CERT: goes together with ETCDCTL_KEY"},
		"no bool":        {map[string]string{"ETCDCTL_INSECURE_SKIP_TLS_VERIFY": "perhaps"}, "ETCDCTL_INSECURE_SKIP_TLS_VERIFY"},
		"no bool either": {map[string]string{"ETCDCTL_INSECURE_TRANSPORT": "2"}, "ETCDCTL_INSECURE_TRANSPORT"},
		"no duration":    {map[string]string{"ETCDCTL_DIAL_TIMEOUT": "2"}, "ETCDCTL_DIAL_TIMEOUT"},
		"zero duration":  {map[string]string{"ETCDCTL_DIAL_TIMEOUT": "0s"}, "ETCDCTL_DIAL_TIMEOUT"},
		"discovery":      {map[string]string{"ETCDCTL_DISCOVERY_SRV": "example.com"}, "ETCDCTL_DISCOVERY_SRV"},
		"a ready token":  {map[string]string{"ETCDCTL_AUTH_JWT_TOKEN": "canary"}, "ETCDCTL_AUTH_JWT_TOKEN"},
	} {
		setEnv(t, test.vars)
		cfg, err := ConfigFromEnv()
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "canary", name)
		require.Equal(t, Config{}, cfg, name)
		for v := range test.vars {
			t.Setenv(v, "")
		}
	}
}
