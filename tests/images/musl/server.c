// A small server of HTTP on musl: a thread for each request, and paths that exercise what C libraries do.
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t stopped;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

// The first line of what a command prints.
static void first_line(const char *command, char *line, int size) {
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(line, size, pipe) == NULL)
        snprintf(line, size, "nothing\n");
    if (pipe != NULL)
        pclose(pipe);
}

static void spawned(char *text, int size) {
    char *arguments[] = {"ls", "/srv", NULL};
    pid_t child;
    int status = -1;
    if (posix_spawn(&child, "/bin/ls", NULL, NULL, arguments, environ) == 0)
        waitpid(child, &status, 0);
    snprintf(text, size, "spawned %d\n", WEXITSTATUS(status));
}

static void forked(char *text, int size) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "cat /etc/passwd | wc -l >/tmp/accounts", (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    snprintf(text, size, "forked %d\n", WEXITSTATUS(status));
}

static void looked_up(char *text, int size) {
    struct passwd *user = getpwnam("server");
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int known = getaddrinfo("127.0.0.1", "80", &hints, &found) == 0;
    if (known)
        freeaddrinfo(found);
    snprintf(text, size, "user %s, address %s\n", user ? user->pw_name : "none", known ? "known" : "unknown");
}

static void *answer(void *argument) {
    int client = (int)(long)argument;
    char request[1024] = "", body[256] = "not there\n";
    const char *status = "200 OK";
    ssize_t length = read(client, request, sizeof request - 1);
    if (length > 0) {
        if (strncmp(request, "GET / ", 6) == 0)
            snprintf(body, sizeof body, "hello\n");
        else if (strncmp(request, "GET /popen ", 11) == 0)
            first_line("echo popen | tr a-z A-Z", body, sizeof body);
        else if (strncmp(request, "GET /system ", 12) == 0)
            snprintf(body, sizeof body, "system %d\n", WEXITSTATUS(system("exit 3")));
        else if (strncmp(request, "GET /spawn ", 11) == 0)
            spawned(body, sizeof body);
        else if (strncmp(request, "GET /fork ", 10) == 0)
            forked(body, sizeof body);
        else if (strncmp(request, "GET /names ", 11) == 0)
            looked_up(body, sizeof body);
        else
            status = "404 Not Found";
        dprintf(client, "HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s", status,
                strlen(body), body);
    }
    pthread_mutex_lock(&count_lock);
    count++;
    pthread_mutex_unlock(&count_lock);
    shutdown(client, SHUT_RDWR);
    close(client);
    return NULL;
}

// Asks a running server, as a health check does.
static int check(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    return connect(server, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : 1;
}

int main(int count_of_arguments, char **arguments) {
    const char *port = count_of_arguments > 1 ? arguments[1] : "8080";
    if (strcmp(port, "check") == 0)
        return check();
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
        perror("bind");
        return 1;
    }
    while (!stopped) {
        int client = accept(listener, NULL, NULL);
        pthread_t thread;
        if (client >= 0 && pthread_create(&thread, NULL, answer, (void *)(long)client) == 0)
            pthread_detach(thread);
    }
    printf("stopped\n");
    return 0;
}
