package cli

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/etcd"
)

// envFlags are the flags that an environment variable can set as well:
// ETCDCTL_ENDPOINTS for --endpoints, and so on.
var envFlags = []string{
	"endpoints", "user", "password", "cacert", "cert", "key", "insecure-skip-tls-verify",
	"dial-timeout", "command-timeout", "debug",
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "ETCDCTL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readEnv sets the flags that the command line does not.
func (a *app) readEnv(c *cobra.Command) error {
	flags := c.Flags()
	for _, name := range envFlags {
		value, ok := a.getenv(envName(name))
		f := flags.Lookup(name)
		if !ok || value == "" || f.Changed {
			continue
		}
		if name == "password" && flags.Changed("user") {
			if _, _, both := strings.Cut(a.flags.user, ":"); both {
				continue // the command line has both
			}
		}
		if err := f.Value.Set(value); err != nil {
			return usage("environment variable %s: %s", envName(name), notA(f.Value.Type(), value))
		}
	}
	return nil
}

// config gathers how to reach etcd from flags and environment.
func (a *app) config(c *cobra.Command) (etcd.Config, error) {
	if err := a.readEnv(c); err != nil {
		return etcd.Config{}, err
	}
	g := &a.flags
	if len(strings.Join(g.endpoints, "")) == 0 { // an unset variable in a script must not lead to another etcd
		return etcd.Config{}, usage("--endpoints is empty")
	}
	if g.dialTimeout <= 0 {
		return etcd.Config{}, usage("--dial-timeout must be positive, not %v", g.dialTimeout)
	}
	if g.commandTimeout <= 0 {
		return etcd.Config{}, usage("--command-timeout must be positive, not %v", g.commandTimeout)
	}
	cfg := etcd.Config{
		TLS: etcd.TLSConfig{
			CAFile: g.cacert, CertFile: g.cert, KeyFile: g.key, InsecureSkipVerify: g.skipVerify,
		},
		Endpoints:         slices.Clone(g.endpoints),
		Namespace:         g.namespace,
		AllowInsecureAuth: g.insecureAuth,
		DialTimeout:       g.dialTimeout,
		AttemptTimeout:    g.commandTimeout,
		RetryTimeout:      g.commandTimeout,
	}
	if g.debug {
		cfg.Logger = slog.New(slog.NewTextHandler(a.errOut, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	cfg.Username, cfg.Password, err = a.credentials()
	return cfg, err
}

// credentials splits --user and asks for a password that is missing.
func (a *app) credentials() (user, password string, err error) {
	if a.flags.password != "" {
		if a.flags.user == "" {
			return "", "", usage("--password without --user")
		}
		return a.flags.user, a.flags.password, nil
	}
	user, password, found := strings.Cut(a.flags.user, ":")
	if user == "" && found {
		return "", "", usage("--user has a password, but no name")
	}
	if user == "" || found {
		return user, password, nil
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", "", usage("user %q needs a password: --user name:password, --password or %s", user, envName("password"))
	}
	fmt.Fprintf(a.errOut, "password of %s: ", user)
	typed, err := term.ReadPassword(in)
	fmt.Fprintln(a.errOut)
	if err != nil {
		return "", "", fail(exitFailed, "read the password: %w", err)
	}
	return user, string(typed), nil
}

// connect makes the client that flags and environment describe.
func (a *app) connect(c *cobra.Command, change func(*etcd.Config)) (*etcd.Client, error) {
	cfg, err := a.config(c)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(&cfg)
	}
	client, err := etcd.New(cfg)
	if err != nil {
		return nil, usage("%s", asFlags.Replace(plain(err)))
	}
	return client, nil
}

// asFlags puts flags in the place of what they are called in etcd.Config.
var asFlags = strings.NewReplacer(
	"configuration TLS: ", "", "configuration: ", "",
	"set AllowInsecureAuth", "say --insecure-auth",
	"belong in Username and Password, not in the URL", "belong in --user, not in the URL",
	"CertFile and KeyFile", "--cert and --key", "CAFile", "--cacert",
)

// patience is how long cleaning up may take after the user has asked to end.
func (a *app) patience() time.Duration { return min(a.flags.commandTimeout, 5*time.Second) }
