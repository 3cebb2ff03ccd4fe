// A server for `confine check`: it answers each connection, and says some things now and then or in other words.
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void stop(int signal) {
    (void)signal;
    write(1, "bye\n", 4);
    _exit(0);
}

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    signal(SIGTERM, stop);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("node n%ld of the cluster joined\n", now.tv_nsec);
    // What varies by itself can only be told from a difference by several lives.
    if (!getenv("STEADY") && now.tv_nsec / 1000 % 2) {
        printf("the disk is slow today\n");
    }
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 8)) {
        perror("bind");
        return 3;
    }
    printf("listening\n");
    for (;;) {
        int client = accept(listening, NULL, NULL);
        char request[64];
        if (client >= 0 && read(client, request, sizeof request) > 0) {
            // What comes of it changes nothing.
            (void)chmod("/service", 0755);
            write(client, "hello\n", 6);
        }
        close(client);
    }
}
