package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// globalFlags are the flags of every command. Those about etcd are named as
// etcdctl's, so that both take the same.
type globalFlags struct {
	endpoints         []string
	user, password    string
	cacert, cert, key string
	skipVerify        bool
	insecureAuth      bool
	dialTimeout       time.Duration
	commandTimeout    time.Duration
	namespace         string
	json, debug       bool
}

// The defaults of etcdctl.
const (
	defaultEndpoint       = "127.0.0.1:2379"
	defaultDialTimeout    = 2 * time.Second
	defaultCommandTimeout = 5 * time.Second
)

// root assembles the command.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate",
		Short: "Coordinate programs over etcd",
		Long: `quorate coordinates programs over etcd: it runs commands under locks that nobody
else holds, has one of many machines lead, gives out numbers that nobody else
gets, and has jobs from queues worked on.

It reaches etcd by its HTTP gateway and takes the flags and the environment
variables of etcdctl (ETCDCTL_ENDPOINTS for --endpoints, and so on). Without any
it goes to http://127.0.0.1:2379, which is where "quorate dev" starts one.`,
		Example: `  quorate dev                                    # an etcd to try things on
  quorate lock nightly -- ./backup.sh            # never two at a time
  quorate elect scheduler -- ./scheduler.sh      # on one machine, which leads
  quorate queue work mails -- ./send.sh          # once for each job
  quorate dev -- quorate lock demo -- echo mine  # all in one`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Version:           version(),
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		Args:              knownCommand,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	root.SetVersionTemplate("quorate {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s; see '%s --help'", flagProblem(err), c.CommandPath())
	})
	f, g := root.PersistentFlags(), &a.flags
	f.SortFlags = false
	root.Flags().SortFlags = false
	f.StringSliceVar(&g.endpoints, "endpoints", []string{defaultEndpoint}, "`URLs` of the members' client ports, separated by commas")
	f.StringVar(&g.user, "user", "", "`name[:password]`; the password is asked for where it is missing")
	f.StringVar(&g.password, "password", "", "password of --user, which then is the name alone")
	f.StringVar(&g.cacert, "cacert", "", "PEM `file` of the authorities that sign the members' certificates")
	f.StringVar(&g.cert, "cert", "", "PEM `file` of the client certificate")
	f.StringVar(&g.key, "key", "", "PEM `file` of the client certificate's key")
	f.BoolVar(&g.skipVerify, "insecure-skip-tls-verify", false, "accept any certificate of the members; only for tests")
	f.BoolVar(&g.insecureAuth, "insecure-auth", false, "send user name and password over plain http to other machines, too")
	f.DurationVar(&g.dialTimeout, "dial-timeout", defaultDialTimeout, "bound of connecting to a member")
	f.DurationVar(&g.commandTimeout, "command-timeout", defaultCommandTimeout, "bound of a request to a member, and of trying again; waiting for a lock has --timeout alone")
	f.StringVar(&g.namespace, "namespace", "", "`prefix` of every key")
	f.BoolVar(&g.json, "json", false, "machine-readable output, errors included")
	f.BoolVar(&g.debug, "debug", false, "log retries, renewals and the like to standard error")
	root.AddCommand(a.devCommand(), a.demoCommand(), a.statusCommand(), a.lockCommand(), a.electCommand(), a.seqCommand(), a.queueCommand(), a.versionCommand())
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			ownCompletion(c)
		case "help":
			ownHelp(c)
		}
	}
	return root
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, but got %q", c.CommandPath(), args[0])
	}
	return nil
}
