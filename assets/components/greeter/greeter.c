// A service over HTTP on the loopback interface: it listens from `init` on, `address` says where, and `serve` answers.
#define ORLOP_COMPONENT
#define OWN_INIT
#include "orlop.h"
#include "plain.h"

enum { WAITS_MS = 5000, LOOKS_MS = 200, REQUEST = 8192, PART = 4096, ANSWER = 512 };

static orlop_network_socket_t door;
static uint64_t greeted;

static void no_door(orlop_string_t reason, orlop_result_unit_core_component_error_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_INITIALIZATION_FAILED;
  result->as.err.as.initialization_failed = reason;
}

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  orlop_result_network_socket_network_network_error_t made;
  orlop_socket_create_socket(ORLOP_NETWORK_ADDRESS_FAMILY_IPV4, ORLOP_NETWORK_SOCKET_TYPE_TCP_STREAM,
                             ORLOP_NETWORK_PROTOCOL_TCP, &made);
  if (made.is_err) return no_door(made.as.err.as.connection_refused, result);   // the reason: at one place in all cases
  door = made.as.ok;
  orlop_network_socket_address_t loopback = {
      .address = {.tag = ORLOP_NETWORK_ADDRESS_IPV4, .as.ipv4 = {127, 0, 0, 1}}, .port = 0};
  orlop_result_unit_network_network_error_t done;
  orlop_socket_socket_bind(door, &loopback, &done);
  if (!done.is_err) orlop_socket_socket_listen(door, 16, &done);
  if (done.is_err) return no_door(done.as.err.as.connection_refused, result);
  result->is_err = false;
}

// Whether the empty line after the head of a request has come.
static bool head_ended(const text_t *request) {
  for (size_t at = 3; at < request->size; at++)
    if (same((orlop_string_t){request->data + at - 3, 4}, ORLOP_STRING("\r\n\r\n"))) return true;
  return false;
}

static bool hear(orlop_network_socket_t caller, text_t *request) {
  while (!head_ended(request) && request->size < request->room) {
    orlop_result_network_receive_result_network_network_error_t part;
    orlop_socket_socket_receive(caller, PART, WAITS_MS, &part);
    if (part.is_err || part.as.ok.end_of_stream) return false;
    text_add(request, string_of(part.as.ok.data));
  }
  return head_ended(request);
}

// What stands after "GET " until the next blank.
static orlop_string_t path_of(const text_t *request) {
  if (request->size < 4 || !same((orlop_string_t){request->data, 4}, ORLOP_STRING("GET "))) return (orlop_string_t){0};
  size_t end = 4;
  while (end < request->size && request->data[end] != ' ') end++;
  return (orlop_string_t){request->data + 4, end - 4};
}

static void respond(orlop_network_socket_t caller, orlop_string_t status, orlop_string_t body) {
  text_t text = text_of(ANSWER);
  text_add(&text, ORLOP_STRING("HTTP/1.1 "));
  text_add(&text, status);
  text_add(&text, ORLOP_STRING("\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "));
  text_number(&text, body.size);
  text_add(&text, ORLOP_STRING("\r\n\r\n"));
  text_add(&text, body);
  orlop_result_unit_network_network_error_t sent;
  orlop_socket_socket_send_all(caller, text_bytes(&text), WAITS_MS, &sent);
  if (sent.is_err) say(ORLOP_CORE_LOG_LEVEL_WARN, ORLOP_STRING("a caller went away before the answer"));
}

static void greet(orlop_network_socket_t caller) {
  text_t request = text_of(REQUEST);
  if (!hear(caller, &request)) return respond(caller, ORLOP_STRING("400 Bad Request"), ORLOP_STRING("what?\n"));
  orlop_string_t path = path_of(&request);
  if (!path.size) return respond(caller, ORLOP_STRING("405 Method Not Allowed"), ORLOP_STRING("GET only\n"));
  if (!same(path, ORLOP_STRING("/"))) return respond(caller, ORLOP_STRING("404 Not Found"), ORLOP_STRING("no such page\n"));
  text_t body = text_of(64);
  text_add(&body, ORLOP_STRING("Ahoy, caller "));
  text_number(&body, ++greeted);
  text_add(&body, ORLOP_STRING("\n"));
  respond(caller, ORLOP_STRING("200 OK"), text_string(&body));
}

static bool asked_to_end(void) {
  bool stop;
  orlop_services_stop_requested(&stop);
  return stop;
}

// Answers so many callers, one after the other; a stop ends it sooner.
static void serve(uint64_t callers, orlop_result_bytes_core_execution_error_t *result) {
  uint64_t answered = 0;
  while (answered < callers && !asked_to_end()) {
    orlop_result_network_socket_network_network_error_t caller;
    orlop_socket_socket_accept(door, LOOKS_MS, &caller);
    if (caller.is_err && caller.as.err.tag == ORLOP_NETWORK_NETWORK_ERROR_TIMEOUT) continue;
    if (caller.is_err) return fail(caller.as.err.as.connection_refused, result);
    greet(caller.as.ok);
    orlop_socket_socket_drop(caller.as.ok);
    answered++;
  }
  text_t text = text_of(32);
  text_number(&text, answered);
  text_add(&text, ORLOP_STRING(" answered\n"));
  answer(text_bytes(&text), result);
}

static void address(orlop_result_bytes_core_execution_error_t *result) {
  orlop_result_network_socket_address_network_network_error_t here;
  orlop_socket_socket_get_local_address(door, &here);
  if (here.is_err) return fail(here.as.err.as.connection_refused, result);
  text_t text = text_of(64);
  text_add(&text, ORLOP_STRING("http://127.0.0.1:"));
  text_number(&text, here.as.ok.port);
  text_add(&text, ORLOP_STRING("/\n"));
  answer(text_bytes(&text), result);
}

static uint64_t number(orlop_bytes_t input) {
  uint64_t value = 0;
  for (size_t at = 0; at < input.size && input.data[at] >= '0' && input.data[at] <= '9'; at++)
    value = value * 10 + (input.data[at] - '0');
  return value;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  if (same(operation, ORLOP_STRING("address"))) return address(result);
  if (same(operation, ORLOP_STRING("serve"))) return serve(number(input), result);
  unknown(operation, result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"address", 7}, {"serve", 5}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("greeter"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Greets whoever calls over HTTP"),
      .supported_operations = {operations, 2},
      .stateful = true,
  };
}
