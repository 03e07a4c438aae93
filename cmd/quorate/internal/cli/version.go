package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version tells which quorate this is, as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "(built from source)"
	}
	return info.Main.Version
}

// linkedVersion gives the version of a module that this program contains.
func linkedVersion(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
}

// embeddedEtcd is the version of etcd that "quorate dev" runs.
func embeddedEtcd() string { return linkedVersion("go.etcd.io/etcd/server/v3") }

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of quorate and of the etcd in it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.flags.json {
				return a.printJSON(struct {
					Version  string `json:"version"`
					Embedded string `json:"embedded_etcd"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{version(), embeddedEtcd(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.out, "quorate %s\netcd    %s (quorate dev)\n%s %s/%s\n",
				version(), embeddedEtcd(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
