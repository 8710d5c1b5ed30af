//! Key names that steer loaders, shells, interpreters, proxies or trust (rule 7 of the design).
//!
//! A workload that takes a whole Secret as its environment (`envFrom`) would hand whoever can write one more
//! key into a vault the power to run code in it, or to read its traffic. Such names are refused at every
//! target, unless the target's `select.keys` spells them out. Names are compared as Kubernetes hands them
//! over: with their case, but proxies in both of the cases that programs read.

/// Refused names.
///
/// The loader's are those that glibc drops for set-user-ID programs (`ld.so(8)`); the shells' and most of the
/// interpreters' are those that sudo drops by default (`env_delete`, `env_check` in `sudoers(5)`), and what
/// their manuals say runs code, loads code or changes trust at start.
pub const REFUSED_KEYS: &[&str] = &[
    // The loader and the C library; LD_*, DYLD_* and MALLOC_* are prefixes.
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "NIS_PATH",
    "NLSPATH",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TZDIR",
    // Shells.
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "ENV",
    "FPATH",
    "GLOBIGNORE",
    "IFS",
    "PATH",
    "PROMPT_COMMAND",
    "PS4",
    "SHELL",
    "SHELLOPTS",
    "ZDOTDIR",
    // Programs that other programs start.
    "BROWSER",
    "EDITOR",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "LESSCLOSE",
    "LESSOPEN",
    "MANPAGER",
    "PAGER",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "VISUAL",
    // Interpreters and virtual machines.
    "BUNDLE_GEMFILE",
    "CATALINA_OPTS",
    "CLASSPATH",
    "COMPlus_StartupHooks",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_SHARED_STORE",
    "DOTNET_STARTUP_HOOKS",
    "ELIXIR_ERL_OPTIONS",
    "ERL_AFLAGS",
    "ERL_FLAGS",
    "ERL_LIBS",
    "ERL_ZFLAGS",
    "GEM_HOME",
    "GEM_PATH",
    "GRADLE_OPTS",
    "GUILE_LOAD_PATH",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JULIA_LOAD_PATH",
    "JULIA_PROJECT",
    "LUA_CPATH",
    "LUA_PATH",
    "MAVEN_OPTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLIO_DEBUG",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PYTHONBREAKPOINT",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "RUBYLIB",
    "RUBYOPT",
    "RUBYSHELL",
    "R_ENVIRON",
    "R_ENVIRON_USER",
    "R_LIBS",
    "R_LIBS_USER",
    "R_PROFILE",
    "R_PROFILE_USER",
    "TCLLIBPATH",
    "_JAVA_OPTIONS",
    // What is trusted, and where traffic goes; the proxies stand below in both cases.
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CURL_HOME",
    "DOCKER_HOST",
    "GIT_SSL_CAINFO",
    "GIT_SSL_NO_VERIFY",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "NETRC",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PIP_CONFIG_FILE",
    "PIP_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PYTHONHTTPSVERIFY",
    "REQUESTS_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "ALL_PROXY",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "RSYNC_PROXY",
    "SOCKS_PROXY",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "rsync_proxy",
    "socks_proxy",
];

/// Beginnings of refused names: whole families of the same kind.
pub const REFUSED_PREFIXES: &[&str] = &[
    "BASH_FUNC_",
    "CORECLR_",
    "COR_",
    "DYLD_",
    "GIT_CONFIG",
    "LD_",
    "LUA_INIT",
    "MALLOC_",
    "NPM_CONFIG_",
    "npm_config_",
];

/// Whether a key of this name is refused unless it is spelt out.
pub fn is_refused_key(name: &str) -> bool {
    REFUSED_KEYS.contains(&name)
        || REFUSED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_steer_programs_are_refused() {
        for name in [
            "LD_PRELOAD",
            "LD_AUDIT",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "BASH_ENV",
            "BASH_FUNC_ls%%",
            "PATH",
            "HTTPS_PROXY",
            "https_proxy",
            "GIT_CONFIG_COUNT",
        ] {
            assert!(is_refused_key(name), "{name}");
        }
        for name in [
            "DB_URL",
            "path",
            "ENVIRONMENT",
            "MY_PATH",
            "PROXY_PASSWORD",
            "tls.crt",
            "GIT_TOKEN",
            "JAVA_HOME",
        ] {
            assert!(!is_refused_key(name), "{name}");
        }
    }

    #[test]
    fn no_name_stands_there_twice() {
        let mut names = REFUSED_KEYS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REFUSED_KEYS.len());
        for name in REFUSED_KEYS {
            assert!(
                !REFUSED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix)),
                "{name}"
            );
        }
    }
}
