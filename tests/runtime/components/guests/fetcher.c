// A component that speaks HTTP with this machine: `get` asks a port of 127.0.0.1, `fetch` one of localhost by its name.
#define ORLOP_COMPONENT
#include "orlop.h"

#define WAIT_MS 60000

typedef orlop_result_bytes_core_execution_error_t answer_t;

static bool is(orlop_string_t operation, const char *text) {
  size_t at = 0;
  while (at < operation.size && text[at] && operation.data[at] == text[at]) at++;
  return at == operation.size && !text[at];
}

static void refuse(orlop_network_network_error_t error, answer_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
  result->as.err.as.processing_failed = error.as.io_error;   // the reason lies at the same place in all
}

static uint16_t number(orlop_bytes_t digits) {
  uint32_t value = 0;
  for (size_t at = 0; at < digits.size; at++) value = 10 * value + (uint32_t)(digits.data[at] - '0');
  return (uint16_t)value;
}

static bool by_address(uint16_t port, orlop_network_socket_t *socket, answer_t *result) {
  orlop_result_network_socket_network_network_error_t made;
  orlop_socket_create_socket(ORLOP_NETWORK_ADDRESS_FAMILY_IPV4, ORLOP_NETWORK_SOCKET_TYPE_TCP_STREAM,
                             ORLOP_NETWORK_PROTOCOL_TCP, &made);
  if (made.is_err) return refuse(made.as.err, result), false;
  *socket = made.as.ok;
  orlop_network_socket_address_t address = {
      .address = {.tag = ORLOP_NETWORK_ADDRESS_IPV4, .as.ipv4 = {127, 0, 0, 1}}, .port = port};
  orlop_result_unit_network_network_error_t connected;
  orlop_connection_connect(*socket, &address, WAIT_MS, &connected);
  if (connected.is_err) return refuse(connected.as.err, result), false;
  return true;
}

static bool by_name(uint16_t port, orlop_network_socket_t *socket, answer_t *result) {
  orlop_result_network_socket_network_network_error_t connected;
  orlop_connection_connect_host(ORLOP_STRING("localhost"), port, WAIT_MS, &connected);
  if (connected.is_err) return refuse(connected.as.err, result), false;
  *socket = connected.as.ok;
  return true;
}

static void exchange(orlop_network_socket_t socket, answer_t *result) {
  static const char question[] = "GET / HTTP/1.0\r\n\r\n";
  orlop_result_unit_network_network_error_t sent;
  orlop_socket_socket_send_all(socket, (orlop_bytes_t){(uint8_t *)question, sizeof question - 1}, WAIT_MS, &sent);
  if (sent.is_err) return refuse(sent.as.err, result);
  orlop_result_network_receive_result_network_network_error_t got;
  orlop_socket_socket_receive_all(socket, 65536, WAIT_MS, &got);
  if (got.is_err) return refuse(got.as.err, result);
  result->as.ok = got.as.ok.data;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context, answer_t *result) {
  (void)context;
  orlop_network_socket_t socket;
  result->is_err = false;
  if (is(operation, "get")) {
    if (by_address(number(input), &socket, result)) exchange(socket, result);
    return;
  }
  if (is(operation, "fetch")) {
    if (by_name(number(input), &socket, result)) exchange(socket, result);
    return;
  }
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
  result->as.err.as.unknown_operation = operation;
}

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  result->is_err = false;
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  (void)message;
  result->is_err = false;
  result->as.ok.is_some = false;
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id, (void)outcome;
  result->is_err = false;
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  *result = (orlop_core_component_metadata_t){.name = ORLOP_STRING("fetcher"), .version = ORLOP_STRING("1.0.0")};
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  result->is_err = false;
}
