package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nobody is an address at which nothing listens, nor can while the test runs:
// it is the near end of a connection.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() {
		conn.Close()
		ln.Close()
	})
	return "http://" + conn.LocalAddr().String()
}

func TestAnEtcdThatDoesNotAnswerIsNamedTogetherWithWhatToDo(t *testing.T) {
	t.Parallel()
	url := nobody(t)
	for _, args := range [][]string{
		{"status"},
		{"elect", "watch", "x", "--command-timeout", "3s"},
		{"lock", "x", "--command-timeout", "3s", "--", os.Args[0], asHelper, "exit", "0"},
	} {
		q := command(t, append([]string{"--endpoints", url}, args...)...)
		require.Equal(t, 69, q.run())
		require.Contains(t, q.stderr.String(), "quorate: no etcd answers at "+url+" (connection refused); 'quorate dev' starts one")
		require.Equal(t, 1, strings.Count(q.stderr.String(), "\n"), q.stderr)
		require.Empty(t, q.stdout.String())
	}
}

func TestUsageErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"lok", `unknown command "lok", perhaps "lock"; see 'quorate --help'`},
		{"statsu", `unknown command "statsu", perhaps "status"`},
		{"xyzzy", `unknown command "xyzzy"; see`},
		{"queue psh", `unknown command "psh", perhaps "push"; see 'quorate queue --help'`},
		{"seq nxt", `unknown command "nxt", perhaps "next"; see 'quorate seq --help'`},
		{"completion csh", `unknown command "csh"`},
		{"help lock shwo", `unknown command "shwo", perhaps "show"; see 'quorate lock --help'`},
		{"help lock ls more", `unknown command "more"; see 'quorate lock ls --help'`},
		{"demo queue", `unknown command "queue"; see 'quorate demo --help'`},
		{"status --bad", "unknown flag: --bad"},
		{"status now", `quorate status takes no arguments, but got "now"`},
		{"lock", "the name of the lock is missing"},
		{"lock -- true", "the name of the lock is missing"},
		{"lock x", "the command to run is missing"},
		{"lock x --", "there is no command"},
		{"lock x true", `"true" is unexpected`},
		{"lock x y true", `"true" is unexpected`},
		{"lock x --shared --slots 3 -- true", "--shared and --slots exclude each other"},
		{"lock x --slots 0 -- true", "--slots must be positive"},
		{"lock x --weight 2 -- true", "--weight needs --slots"},
		{"lock x --slots 3 --weight 4 -- true", "--weight must be between 1 and --slots, not 4"},
		{"lock x --quarantine 5s --shared -- true", "--quarantine does not go with"},
		{"lock x --quarantine -5s -- true", "--quarantine must be positive"},
		{"lock x --meta who -- true", `--meta: "who" is no name=value; see`},
		{"lock ls x", "takes no arguments"},
		{"lock ls -- true", `"quorate lock ls" is a command here; the NAME "ls" stands in a flag: quorate lock --name ls -- true`},
		{"lock show -- sleep 1", `quorate lock --name show -- sleep`},
		{"elect ls -- true", `quorate elect --name ls -- true`},
		{"elect watch -- sleep 1", `quorate elect --name watch -- sleep`},
		{"lock show", "takes the name of one lock, but got 0"},
		{"lock show a b", "takes the name of one lock, but got 2"},
		{"lock break a --token -1", "--token must be positive"},
		{"lock x --try --timeout 1s -- true", "--try and --timeout exclude each other"},
		{"lock x --timeout 0s -- true", "--timeout must be positive"},
		{"lock x --timeout soon -- true", `--timeout: "soon" is no duration like 90s or 5m; see 'quorate lock --help'`},
		{"lock x --slots many -- true", `--slots: "many" is no whole number, or too large`},
		{"lock x --meta =who -- true", `--meta: "=who" is no name=value`},
		{"lock x y x -- true", `lock "x" is named twice`},
		{"lock x --name x -- true", `lock "x" is named twice`},
		{"status --json=perhaps", `--json: "perhaps" is neither true nor false`},
		{"status --endpoints=", "--endpoints is empty"},
		{"status --endpoints ,", "--endpoints is empty"},
		{"lock x --ttl 1s -- true", "--ttl must be at least 2s"},
		{"lock x --ttl -5s -- true", "--ttl must be at least 2s"},
		{"lock x --ttl 100h -- true", "more than a day"},
		{"lock x --grace 9s -- true", "--grace 9s is too long for --ttl 15s"},
		{"lock x --grace 0s -- true", "--grace must be positive"},
		{"dev --members 2", "--members must be 1 or 3, not 2"},
		{"dev --port 70000", "--port 70000 is out of range"},
		{"dev --port -1", "--port -1 is out of range"},
		{"dev true", `"true" is unexpected`},
		{"dev --", "there is no command"},
		{"status --dial-timeout 0s", "--dial-timeout must be positive"},
		{"status --command-timeout -1s", "--command-timeout must be positive"},
		{"status --endpoints ftp://here", "the scheme is not http or https"},
		{"status --cert only.pem", "quorate: --cert and --key go together"},
		{"status --password x", "--password without --user"},
		{"status --user :x", "no name"},
		{"status --user root", `user "root" needs a password`},
		{"status --user root:x --endpoints http://192.0.2.1:2379", "not sent over plain http to a host that is not loopback: use https or say --insecure-auth"},
		{"status --cacert /no/such/file --endpoints https://127.0.0.1", "quorate: --cacert: open /no/such/file: no such file"},
	} {
		q := command(t, strings.Fields(c.args)...)
		require.Equal(t, 2, q.run(), "%s: %s", c.args, q.stderr)
		require.Contains(t, q.stderr.String(), c.says, c.args)
		require.True(t, strings.HasPrefix(q.stderr.String(), "quorate: "), q.stderr)
		require.Equal(t, 1, strings.Count(q.stderr.String(), "\n"), "one sentence: %s", q.stderr)
		require.Empty(t, q.stdout.String())
	}
}

func TestALockNeedsAName(t *testing.T) {
	t.Parallel()
	q := command(t, append([]string{"lock", "", "--"}, helperCommand("exit", "0")...)...)
	require.Equal(t, 2, q.run(), q.stderr)
	q = command(t, append([]string{"lock", strings.Repeat("x", 1<<16), "--"}, helperCommand("exit", "0")...)...)
	require.Equal(t, 2, q.run(), q.stderr)
	require.Less(t, len(q.stderr.String()), 1000)
}

func TestFlagsWinOverTheEnvironmentAndBadVariablesAreNamed(t *testing.T) {
	t.Parallel()
	q := command(t, "status")
	q.Env = append(q.Env, "ETCDCTL_DIAL_TIMEOUT=soon")
	require.Equal(t, 2, q.run())
	require.Contains(t, q.stderr.String(), `environment variable ETCDCTL_DIAL_TIMEOUT: "soon" is no duration`)

	q = command(t, "status", "--dial-timeout", "30s", "--endpoints", endpoint)
	q.Env = append(q.Env, "ETCDCTL_DIAL_TIMEOUT=soon", "ETCDCTL_ENDPOINTS="+nobody(t))
	require.Equal(t, 0, q.run(), q.stderr)
}

func TestErrorsAreJSONWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	url := nobody(t)
	q := command(t, "status", "--json", "--endpoints", url)
	require.Equal(t, 69, q.run())
	line := jsonLines(t, q.stderr.String())[0]
	require.EqualValues(t, 69, line["exit"])
	require.Contains(t, line["error"], url)

	q = command(t, "status", "--json", "--bad")
	require.Equal(t, 2, q.run())
	require.EqualValues(t, 2, jsonLines(t, q.stderr.String())[0]["exit"])
}

func TestStatusShowsEachMember(t *testing.T) {
	t.Parallel()
	q := command(t, "status")
	require.Equal(t, 0, q.run(), q.stderr)
	rows := strings.Split(strings.TrimSpace(q.stdout.String()), "\n")
	require.Len(t, rows, 2)
	for _, column := range []string{"ENDPOINT", "MEMBER", "VERSION", "ROLE", "DB SIZE", "RAFT INDEX", "ALARMS", "LATENCY"} {
		require.Contains(t, rows[0], column)
	}
	require.Contains(t, rows[1], endpoint)
	require.Contains(t, rows[1], "leader")
	require.Regexp(t, `\d ms$`, rows[1])

	q = command(t, "status", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	report := jsonLines(t, q.stdout.String())[0]
	require.Equal(t, true, report["healthy"])
	m := report["members"].([]any)[0].(map[string]any)
	require.Equal(t, endpoint, m["endpoint"])
	require.Equal(t, m["id"], m["leader"])
	for _, field := range []string{"db_bytes", "db_in_use_bytes", "raft_index", "raft_term", "revision", "latency_ms"} {
		require.Positive(t, m[field], field)
	}
	require.Empty(t, m["alarms"])
}

func TestStatusOfAClusterThatIsNotWholeShowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	missing := nobody(t)
	q := command(t, "status", "--endpoints", endpoint+","+missing)
	require.Equal(t, 1, q.run())
	require.Regexp(t, missing+` .*connection refused`, q.stdout.String())
	q = command(t, "status", "--json", "--endpoints", missing+","+endpoint)
	require.Equal(t, 1, q.run())
	report := jsonLines(t, q.stdout.String())[0]
	require.Equal(t, false, report["healthy"])
	require.Equal(t, "connection refused", report["members"].([]any)[0].(map[string]any)["error"])
}

func TestStatusTellsNamesAndAlarmsAlsoWhereAnotherMemberHangs(t *testing.T) {
	t.Parallel()
	q := command(t, "status", "--json", "--command-timeout", "8s", "--endpoints", silent(t)+","+endpoint)
	require.Equal(t, 1, q.run(), q.stderr)
	members := jsonLines(t, q.stdout.String())[0]["members"].([]any)
	require.Equal(t, "no answer within 8s", members[0].(map[string]any)["error"])
	require.NotEmpty(t, members[1].(map[string]any)["name"])
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	const canary = "canary-5ecret"
	lock := []string{"lock", "x", "--command-timeout", "300ms", "--", os.Args[0], asHelper, "exit", "0"}
	for _, args := range [][]string{
		{"status", "--user", "root:" + canary},
		{"status", "--user", "root:" + canary, "--endpoints", nobody(t), "--debug"},
		{"status", "--user", "root", "--password", canary, "--endpoints", "http://192.0.2.1:1", "--json"},
		{"status", "--endpoints", "http://root:" + canary + "@127.0.0.1:1"},
		{"status", "--user", "root:" + canary, "--cacert", "/no/such/file"},
		append([]string{"--debug", "--user", "root:" + canary}, lock...),
		append([]string{"--user", "root:" + canary, "--endpoints", nobody(t)}, lock...),
	} {
		q := command(t, args...)
		q.run()
		require.NotContains(t, q.stdout.String()+q.stderr.String(), canary, args)
	}
	q := command(t, "status")
	q.Env = append(q.Env, "ETCDCTL_USER=root:"+canary, "ETCDCTL_DIAL_TIMEOUT=bad")
	require.Equal(t, 2, q.run())
	require.NotContains(t, q.stderr.String(), canary)
	q = command(t, "status", "--endpoints", nobody(t))
	q.Env = append(q.Env, "ETCDCTL_PASSWORD="+canary, "ETCDCTL_USER=root")
	require.Equal(t, 69, q.run())
	require.NotContains(t, q.stderr.String(), canary)
}

func TestVersionHelpAndCompletionAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"", "Available Commands:"},
		{"--help", "Available Commands:"},
		{"help lock", "--grace"},
		{"lock break --help", "--reason"},
		{"demo --help", "Available Commands:"},
		{"--version", "quorate "},
		{"version", "v3."},
		{"completion bash", "quorate"},
		{"completion zsh", "quorate"},
		{"completion fish", "quorate"},
		{"completion powershell", "quorate"},
	} {
		q := command(t, strings.Fields(c.args)...)
		require.Equal(t, 0, q.run(), "%s: %s", c.args, q.stderr)
		require.Contains(t, q.stdout.String(), c.says, c.args)
	}
	q := command(t, "version", "--json")
	require.Equal(t, 0, q.run())
	require.Contains(t, jsonLines(t, q.stdout.String())[0], "embedded_etcd")
}
