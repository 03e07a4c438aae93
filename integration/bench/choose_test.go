package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScenariosComeInTheOrderOfTheTable(t *testing.T) {
	all, err := choose("")
	require.NoError(t, err)
	require.Len(t, all, len(scenarios))
	require.Equal(t, "put-128", all[0].name)
	at := -1
	for _, s := range all {
		for i, name := range order {
			if name == s.name {
				require.Greater(t, i, at, s.name)
				at = i
			}
		}
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	got, err := choose("get-1, put-128,get-1")
	require.NoError(t, err)
	require.Equal(t, "get-1, put-128", names(got), "in the order asked for, each once")
}

func TestPutsAndGetsCanHaveAnyNumberOfCallers(t *testing.T) {
	got, err := choose("put-4,get-1,get-500,put-4")
	require.NoError(t, err)
	require.Equal(t, "put-4, get-1, get-500", names(got))
}

func TestAnUnknownScenarioIsAClearError(t *testing.T) {
	for _, only := range []string{"put-0", "put-100000", "put-1x", "lock-4", "put-128,,get-1", "put-128,nonsense", " "} {
		_, err := choose(only)
		require.ErrorContains(t, err, "there is no scenario", only)
		require.ErrorContains(t, err, "put-128, get-128", "it says what there is")
	}
}

func TestEveryScenarioIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios {
		require.False(t, seen[s.name], "%s is there twice", s.name)
		seen[s.name] = true
		require.NotEmpty(t, s.unit, s.name)
		require.Contains(t, []string{"higher", "lower"}, s.better, s.name)
		require.NotNil(t, s.ours, s.name)
		require.Positive(t, s.must, s.name)
		if s.better == "higher" {
			require.GreaterOrEqual(t, s.aim, s.must, s.name)
		} else {
			require.LessOrEqual(t, s.aim, s.must, s.name)
		}
		require.Equal(t, strings.ToLower(s.name), s.name)
	}
}

func TestAQuickRunIsDividedByWeight(t *testing.T) {
	todo := []scenario{{name: "put-128"}, {name: "queue-flat"}, {name: "size-modules"}}
	require.Equal(t, 10*time.Second, share(80*time.Second, todo))
	require.Equal(t, 40*time.Second, share(40*time.Second, todo[1:]), "the last that count get what is left")
	require.Equal(t, time.Second, share(time.Second, todo[2:]))
	require.Equal(t, time.Duration(1), share(-time.Second, todo), "no time left is one round")
	require.Less(t, quickly, time.Minute)
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for line, want := range map[string]string{
		"-members 2":                          "-members is 1 or 3, not 2",
		"put-128":                             `unexpected argument "put-128"`,
		"-chart run.json":                     "-chart needs the name of one file",
		"-chart run.json out.png":             "ends in .svg",
		"-chart run.json -markdown run.json":  "do not go together",
		"-nonsense":                           "flag provided but not defined",
		"-run nonsense":                       `there is no scenario "nonsense"`,
		"-markdown /nowhere/run.json":         "no such file",
		"-chart /nowhere/run.json figure.svg": "no such file",
	} {
		var out, errOut strings.Builder
		err := run(t.Context(), strings.Fields(line), &out, &errOut)
		require.ErrorContains(t, err, want, line)
		require.Empty(t, out.String(), line)
	}
}
