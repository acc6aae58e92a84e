#include "policies/environment.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::policies;

TEST_CASE("a prefix passes variables and never a secret", "[policies]") {
  const Environment environment{{"LC_*", "MY_*", "TERM"}, {}};
  for (const char* name : {"LC_ALL", "LC_", "MY_VAR", "TERM"}) CHECK(passes(environment, name));
  for (const char* name : {"LANG", "TERMINFO", "MY_TOKEN", "MY_API_KEY", "MY_DB_PASSWORD", "LC"})
    CHECK_FALSE(passes(environment, name));
}

TEST_CASE("names of secrets are known", "[policies]") {
  for (const char* name : {"AWS_ACCESS_KEY_ID",
                           "AWS_SECRET_ACCESS_KEY",
                           "AWS_SESSION_TOKEN",
                           "AWS_PROFILE",
                           "GITHUB_TOKEN",
                           "GH_TOKEN",
                           "NPM_TOKEN",
                           "OPENAI_API_KEY",
                           "ANTHROPIC_API_KEY",
                           "DB_PASSWORD",
                           "MYSQL_PWD_SECRET",
                           "PGPASSWORD",
                           "PGPASSFILE",
                           "DATABASE_URL",
                           "REDIS_URL",
                           "SSH_AUTH_SOCK",
                           "GPG_AGENT_INFO",
                           "KUBECONFIG",
                           "VAULT_ADDR",
                           "AZURE_CLIENT_ID",
                           "GOOGLE_APPLICATION_CREDENTIALS",
                           "SIGNING_KEY",
                           "DOCKER_AUTH",
                           "SENTRY_DSN",
                           "STRIPE_SECRET",
                           "TWILIO_AUTH_TOKEN",
                           "api_key",
                           "CI_JOB_TOKEN",
                           "SMTP_PASS",
                           "GITLAB_PAT"}) {
    INFO(name);
    CHECK(is_secret_name(name));
  }
  for (const char* name : {"PATH", "HOME", "LANG", "TERM", "KEYBOARD", "MONKEY", "COMPASS",
                           "PASSENGER", "DSNX", "CI", "GOPATH"}) {
    INFO(name);
    CHECK_FALSE(is_secret_name(name));
  }
}
