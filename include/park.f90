!> park for Fortran: turns a loop into a job that can be watched, paused, steered, checkpointed, resumed and aborted.
!!
!! Compile this file along with your own, and link -lpark:
!!
!!    gfortran include/park.f90 heat.f90 -lpark
!!
!! In the loop's program:
!!
!!    use park
!!    use, intrinsic :: iso_fortran_env, only: real64
!!    type(park_handler) :: job
!!    real(real64), target :: alpha, u(400, 400)
!!    integer, target :: step
!!
!!    call job%open('heat')
!!    call job%expose('alpha', alpha, min=0d0, max=0.25d0)
!!    call job%protect('u', u)
!!    call job%protect('step', step)
!!    call job%checkpoint_dir('heat.ckpt', keep=2)
!!    call job%restore()
!!    do while (step < steps)
!!       call advance(u, alpha)
!!       step = step + 1
!!       call job%progress(step, steps)
!!       if (job%ready() /= PARK_OK) exit
!!    end do
!!    call job%close()
!!
!! Errors. Each call that can fail takes an optional status, 0 or negative. Without it, what prepares a run (open,
!! attach, expose, units, deltas, callbacks) ends the program with park's sentence, as Fortran's own open would; what
!! stands in the loop does nothing and goes on. last_error() has the sentence.
!!
!! Threads. The thread that calls open (or attach) is the computation thread; only signal, log, state and best may be
!! called from another. The meaning of each call is told in park.h under the same name.
!!
!! I/O. ready() calls the callbacks that you gave, and these may print. So never call it inside an I/O statement:
!! "print *, job%ready()" would wait for itself for ever.
module park
  use, intrinsic :: iso_c_binding, only: c_associated, c_bool, c_char, c_double, c_f_procpointer, c_funloc, c_funptr, c_int, &
       c_int64_t, c_loc, c_null_char, c_null_funptr, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: error_unit, int8, int16, int32, int64, real32, real64
  use, intrinsic :: ieee_arithmetic, only: ieee_negative_inf, ieee_positive_inf, ieee_value
  implicit none
  private

  ! Statuses: 0 is fine, positive says why the loop is to end, negative is an error.
  integer(c_int), parameter, public :: PARK_OK = 0, PARK_ABORTED = 1, PARK_STOPPED = 2, PARK_NO_CHECKPOINT = 3, &
       PARK_NOT_RUN = 5, PARK_END = 6, &
       PARK_INVALID_HANDLE = -1, PARK_INVALID_ARGUMENT = -2, PARK_WRONG_THREAD = -3, PARK_BUSY = -4, PARK_NOT_RUNNING = -5, &
       PARK_REENTRANT = -6, PARK_TIMEOUT = -7, PARK_REFUSED = -8, PARK_UNKNOWN = -9, PARK_EXPIRED = -10, PARK_FULL = -11, &
       PARK_CUT_OFF = -12, PARK_FAILED = -13, PARK_FORKED = -14, PARK_PANIC = -15, PARK_NO_MEMORY = -16, PARK_SYSTEM = -17, &
       PARK_CLOSED = -18, PARK_EXISTS = -19, PARK_WRONG_TYPE = -20, PARK_DIFFERS = -21, PARK_MISMATCH = -22

  ! Signals.
  integer(c_int), parameter, public :: PARK_PAUSE = 1, PARK_RESUME = 2, PARK_ABORT = 3, PARK_CHECKPOINT = 4, PARK_STOP = 5

  ! Actions of catch, beside the signals.
  integer(c_int), parameter, public :: PARK_CATCH_NONE = 0, PARK_CATCH_INTERACTIVE = 100, PARK_CATCH_SLURM = 101

  ! States.
  integer(c_int), parameter, public :: PARK_STATE_IDLE = 0, PARK_STATE_RUNNING = 1, PARK_STATE_PAUSED = 2, &
       PARK_STATE_STOPPING = 3, PARK_STATE_COMPLETE = 4, PARK_STATE_ABORTED = 5, PARK_STATE_FAILED = 6

  ! Log levels, deltas, exit codes.
  integer(c_int), parameter, public :: PARK_LOG_ERROR = 1, PARK_LOG_WARNING = 2, PARK_LOG_INFO = 3, PARK_LOG_DEBUG = 4
  integer(c_int), parameter, public :: PARK_PROGRESS_DELTA = 1, PARK_CHECKPOINT_DELTA = 2, PARK_IMPROVED_DELTA = 3
  integer(c_int), parameter, public :: PARK_EXIT_CHECKPOINTED = 85, PARK_EXIT_ABORTED = 86

  ! How checkpoints are saved; the types of their arrays; a time without end.
  integer(c_int), parameter, public :: PARK_CHECKPOINT_COPY = 1, PARK_CHECKPOINT_IN_PLACE = 2
  integer(c_int), parameter :: PARK_F64 = 1, PARK_I64 = 2, PARK_F32 = 7, PARK_I8 = 8, PARK_I16 = 9, PARK_I32 = 10, &
       PARK_U8 = 11, PARK_C64 = 15, PARK_C128 = 16
  real(real64), parameter, public :: PARK_FOREVER = -1

  integer(c_int), parameter :: PARK_OPTION_GO_ON = 3, PARK_OPTION_IN_FLIGHT = 9, PARK_OPTION_AS_COMPLETED = 10
  integer(c_int64_t), parameter :: NUMBER_BYTES = storage_size(0.0_real64)/8

  !> One job. Do not copy an open one: a copy means the same job, and is not told when that is closed.
  type, public :: park_handler
     private
     type(c_ptr) :: handle = c_null_ptr
     integer(c_int) :: last_exit_code = 1
   contains
     procedure :: open => handler_open
     procedure :: close => handler_close
     procedure :: attach => handler_attach
     procedure :: detach => handler_detach
     procedure :: ready => handler_ready
     procedure :: map => handler_map
     procedure :: set_workers => handler_set_workers
     procedure :: signal => handler_signal
     procedure :: catch => handler_catch
     procedure :: log => handler_log
     procedure :: set_units => handler_set_units
     procedure :: listen => handler_listen
     procedure :: unlisten => handler_unlisten
     procedure :: set_delta => handler_set_delta
     procedure :: describe => handler_describe
     procedure :: on_progress => handler_on_progress
     procedure :: best => handler_best
     procedure :: fail => handler_fail
     procedure :: unprotect => handler_unprotect
     procedure :: protect_was => handler_protect_was
     procedure :: checkpoint_dir => handler_checkpoint_dir
     procedure :: checkpoint_mode => handler_checkpoint_mode
     procedure :: checkpoint_share => handler_checkpoint_share
     procedure :: set_deadline => handler_set_deadline
     procedure :: restore => handler_restore
     procedure :: checkpoint_now => handler_checkpoint_now
     procedure :: checkpoint_wait => handler_checkpoint_wait
     procedure :: checkpoint_count => handler_checkpoint_count
     procedure :: checkpoint_clear => handler_checkpoint_clear
     procedure :: checkpoint_path => handler_checkpoint_path
     procedure :: checkpoint_due => handler_checkpoint_due
     procedure :: checkpoint_done => handler_checkpoint_done
     procedure :: exit_code => handler_exit_code
     procedure :: state => handler_state
     procedure :: last_error => handler_last_error
     !> expose(name, variable, min, max, status): the variable needs the attribute target, and must outlive the job.
     !! real64 or int64, a scalar or a vector without gaps; limits are optional.
     generic :: expose => expose_f64, expose_i64, expose_f64s, expose_i64s
     !> protect(name, variable, status): part of every checkpoint. A scalar or an array of any rank without gaps, of real32
     !! or real64, integers of 8 to 64 bits, complex or logical; it needs the attribute target, and must outlive the job or
     !! be unprotected. In the file its dimensions are in C's order: u(3,4) has the shape [4,3], and numpy's u[j,i] is
     !! u(i+1,j+1).
     generic :: protect => protect_real32, protect_real64, protect_int8, protect_int16, protect_int32, protect_int64, &
          protect_complex32, protect_complex64, protect_logical, protect_bool
     !> progress(done, total): integers or reals of one kind; total 0 or less: not known.
     generic :: progress => progress_int32, progress_int64, progress_real32, progress_real64
     !> improved(value, state): a new best, and the numbers that belong to it.
     generic :: improved => improved_value, improved_state
     procedure, private :: expose_f64, expose_i64, expose_f64s, expose_i64s
     procedure, private :: protect_real32, protect_real64, protect_int8, protect_int16, protect_int32, protect_int64
     procedure, private :: protect_complex32, protect_complex64, protect_logical, protect_bool
     procedure, private :: progress_int32, progress_int64, progress_real32, progress_real64
     procedure, private :: improved_value, improved_state
  end type park_handler

  !> Items on their way through a procedure, several at once: items and results are real64, or vectors of them.
  !!
  !!    call results%open(job, square, numbers)              ! of an array, one item an element
  !!    call results%open(job, square, next_number)          ! of a source, which may have no end
  !!    do while (results%next(value, index) == PARK_OK)
  !!       ...
  !!    end do
  !!    call results%close()
  !!
  !! The thread that opens it calls next. Do not copy an open one. It must be closed, also before its end.
  type, public :: park_imap
     private
     type(c_ptr) :: handle = c_null_ptr
     integer(c_int64_t) :: result_size = 0
   contains
     procedure :: close => imap_close
     !> open(job, item, input) or open(job, item, source, item_size), then the optional result_size, as_completed, in_flight,
     !! go_on, status. The sizes are numbers of real64, 1 unless told. The input must have the attribute target, and stay as
     !! it is until close. as_completed: results do not come in the order of the items. in_flight: how many items may be
     !! fetched and not taken, 1024 unless told. go_on: a failed item does not end it.
     generic :: open => imap_open_array, imap_open_source
     !> next(result, index, code, timeout): PARK_OK: there is a result; PARK_END: there are no more; what else it returns is
     !! told at park_imap_next. The result is a scalar, or a vector as long as result_size: else PARK_INVALID_ARGUMENT.
     !! index counts from 0; code is what the item returned. timeout in seconds: PARK_FOREVER unless told.
     generic :: next => imap_next_scalar, imap_next_vector
     !> rest(result, index, code): after an early end, what was fetched and not taken, until PARK_END. code is 0 where the
     !! item was done, PARK_NOT_RUN where it was not begun.
     generic :: rest => imap_rest_scalar, imap_rest_vector
     procedure, private :: imap_open_array, imap_open_source
     procedure, private :: imap_next_scalar, imap_next_vector
     procedure, private :: imap_rest_scalar, imap_rest_vector
  end type park_imap

  abstract interface
     !> Where an imap's items come from: writes the item of this index, on one thread at a time, but on any. 0: there it
     !! is; PARK_END: there are no more; anything else: it failed. A module procedure with bind(c), as the items'.
     function park_source_procedure(job, item, index, user) bind(c) result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: job, item, user
       integer(c_int64_t), value :: index
       integer(c_int) :: status
     end function park_source_procedure

     !> What map calls for each item, on several threads at once: index counts from 0, as in park.h. A module procedure with bind(c); its
     !! module compiled with -frecursive or -fopenmp, or gfortran lets all threads share its large local arrays.
     !! 0: done. Anything else: it failed.
     function park_item_procedure(job, input, output, index, user) bind(c) result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: job, input, output, user
       integer(c_int64_t), value :: index
       integer(c_int) :: status
     end function park_item_procedure

     !> What on_progress calls from inside ready(). seconds_left is negative while nothing is known.
     !! To be a module procedure: an internal one would need an executable stack.
     subroutine park_progress_procedure(done, total, seconds_left)
       import :: real64
       real(real64), intent(in) :: done, total, seconds_left
     end subroutine park_progress_procedure
  end interface
  public :: park_item_procedure, park_progress_procedure, park_source_procedure

  interface
     function c_handler_new(name) bind(c, name='park_handler_new') result(handle)
       import :: c_char, c_ptr
       character(kind=c_char), intent(in) :: name(*)
       type(c_ptr) :: handle
     end function c_handler_new

     function c_handler_free(handle) bind(c, name='park_handler_free') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_handler_free

     function c_attach(handle) bind(c, name='park_attach') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_attach

     function c_detach(handle) bind(c, name='park_detach') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_detach

     function c_ready(handle) bind(c, name='park_ready') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_ready

     function c_map(handle, fn, user, input, in_stride, output, out_stride, n) bind(c, name='park_map') result(status)
       import :: c_funptr, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, user, input, output
       type(c_funptr), value :: fn
       integer(c_int64_t), value :: in_stride, out_stride, n
       integer(c_int) :: status
     end function c_map

     function c_options_new() bind(c, name='park_options_new') result(options)
       import :: c_ptr
       type(c_ptr) :: options
     end function c_options_new

     function c_options_set(options, which, value) bind(c, name='park_options_set') result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: options
       integer(c_int), value :: which
       integer(c_int64_t), value :: value
       integer(c_int) :: status
     end function c_options_set

     function c_options_free(options) bind(c, name='park_options_free') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: options
       integer(c_int) :: status
     end function c_options_free

     function c_imap_new(handle, options, fn, user, source, source_user, item_bytes, result_bytes) &
          bind(c, name='park_imap_new') result(imap)
       import :: c_funptr, c_int64_t, c_ptr
       type(c_ptr), value :: handle, options, user, source_user
       type(c_funptr), value :: fn, source
       integer(c_int64_t), value :: item_bytes, result_bytes
       type(c_ptr) :: imap
     end function c_imap_new

     function c_imap_array(handle, options, fn, user, input, in_stride, n, result_bytes) &
          bind(c, name='park_imap_array') result(imap)
       import :: c_funptr, c_int64_t, c_ptr
       type(c_ptr), value :: handle, options, user, input
       type(c_funptr), value :: fn
       integer(c_int64_t), value :: in_stride, n, result_bytes
       type(c_ptr) :: imap
     end function c_imap_array

     function c_imap_next(imap, timeout, output, index, code) bind(c, name='park_imap_next') result(status)
       import :: c_double, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: imap, output
       real(c_double), value :: timeout
       integer(c_int64_t), intent(inout) :: index
       integer(c_int), intent(inout) :: code
       integer(c_int) :: status
     end function c_imap_next

     function c_imap_rest(imap, output, index, code) bind(c, name='park_imap_rest') result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: imap, output
       integer(c_int64_t), intent(inout) :: index
       integer(c_int), intent(inout) :: code
       integer(c_int) :: status
     end function c_imap_rest

     function c_imap_free(imap) bind(c, name='park_imap_free') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: imap
       integer(c_int) :: status
     end function c_imap_free

     function c_set_workers(handle, count) bind(c, name='park_set_workers') result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle
       integer(c_int64_t), value :: count
       integer(c_int) :: status
     end function c_set_workers

     function c_progress(handle, done, total) bind(c, name='park_progress') result(status)
       import :: c_double, c_int, c_ptr
       type(c_ptr), value :: handle
       real(c_double), value :: done, total
       integer(c_int) :: status
     end function c_progress

     function c_improved(handle, value, state, bytes) bind(c, name='park_improved') result(status)
       import :: c_double, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, state
       real(c_double), value :: value
       integer(c_int64_t), value :: bytes
       integer(c_int) :: status
     end function c_improved

     function c_best(handle, value, buffer, bytes) bind(c, name='park_best') result(found)
       import :: c_double, c_int64_t, c_ptr
       type(c_ptr), value :: handle, buffer
       real(c_double), intent(inout) :: value
       integer(c_int64_t), value :: bytes
       integer(c_int64_t) :: found
     end function c_best

     function c_signal(handle, which) bind(c, name='park_signal') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: which
       integer(c_int) :: status
     end function c_signal

     function c_catch(handle, signo, action) bind(c, name='park_catch') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: signo, action
       integer(c_int) :: status
     end function c_catch

     function c_log(handle, level, text) bind(c, name='park_log') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: level
       character(kind=c_char), intent(in) :: text(*)
       integer(c_int) :: status
     end function c_log

     function c_fail(handle, reason) bind(c, name='park_fail') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in) :: reason(*)
       integer(c_int) :: status
     end function c_fail

     function c_listen(handle, path) bind(c, name='park_listen') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in), optional :: path(*)
       integer(c_int) :: status
     end function c_listen

     function c_unlisten(handle) bind(c, name='park_unlisten') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_unlisten

     function c_set_units(handle, units) bind(c, name='park_set_units') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in) :: units(*)
       integer(c_int) :: status
     end function c_set_units

     function c_set_delta(handle, which, seconds) bind(c, name='park_set_delta') result(status)
       import :: c_double, c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: which
       real(c_double), value :: seconds
       integer(c_int) :: status
     end function c_set_delta

     function c_describe(handle, name, units, description) bind(c, name='park_variable_describe') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in) :: name(*), units(*), description(*)
       integer(c_int) :: status
     end function c_describe

     function c_on_progress(handle, callback, user, destroy) bind(c, name='park_on_progress') result(id)
       import :: c_funptr, c_int64_t, c_ptr
       type(c_ptr), value :: handle, user
       type(c_funptr), value :: callback, destroy
       integer(c_int64_t) :: id
     end function c_on_progress

     function c_expose_f64s(handle, name, array, count, least, most) bind(c, name='park_expose_f64s') result(status)
       import :: c_char, c_double, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, array
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int64_t), value :: count
       real(c_double), value :: least, most
       integer(c_int) :: status
     end function c_expose_f64s

     function c_expose_i64s(handle, name, array, count, least, most) bind(c, name='park_expose_i64s') result(status)
       import :: c_char, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, array
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int64_t), value :: count, least, most
       integer(c_int) :: status
     end function c_expose_i64s

     function c_expose_f64(handle, name, variable, least, most) bind(c, name='park_expose_f64') result(status)
       import :: c_char, c_double, c_int, c_ptr
       type(c_ptr), value :: handle, variable
       character(kind=c_char), intent(in) :: name(*)
       real(c_double), value :: least, most
       integer(c_int) :: status
     end function c_expose_f64

     function c_expose_i64(handle, name, variable, least, most) bind(c, name='park_expose_i64') result(status)
       import :: c_char, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, variable
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int64_t), value :: least, most
       integer(c_int) :: status
     end function c_expose_i64

     function c_protect_shape(handle, name, array, kind, dimensions, lengths) bind(c, name='park_protect_shape') result(status)
       import :: c_char, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle, array
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int), value :: kind
       integer(c_int64_t), value :: dimensions
       integer(c_int64_t), intent(in) :: lengths(*)
       integer(c_int) :: status
     end function c_protect_shape

     function c_unprotect(handle, name) bind(c, name='park_unprotect') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int) :: status
     end function c_unprotect

     function c_protect_was(handle, name, earlier) bind(c, name='park_protect_was') result(status)
       import :: c_char, c_int, c_ptr
       type(c_ptr), value :: handle, earlier
       character(kind=c_char), intent(in) :: name(*)
       integer(c_int) :: status
     end function c_protect_was

     function c_checkpoint_dir(handle, directory, keep) bind(c, name='park_checkpoint_dir') result(status)
       import :: c_char, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(in) :: directory(*)
       integer(c_int64_t), value :: keep
       integer(c_int) :: status
     end function c_checkpoint_dir

     function c_checkpoint_mode(handle, mode) bind(c, name='park_checkpoint_mode') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: mode
       integer(c_int) :: status
     end function c_checkpoint_mode

     function c_checkpoint_share(handle, part) bind(c, name='park_checkpoint_share') result(status)
       import :: c_double, c_int, c_ptr
       type(c_ptr), value :: handle
       real(c_double), value :: part
       integer(c_int) :: status
     end function c_checkpoint_share

     function c_set_deadline(handle, unix_time, margin) bind(c, name='park_set_deadline') result(status)
       import :: c_double, c_int, c_ptr
       type(c_ptr), value :: handle
       real(c_double), value :: unix_time
       real(c_double), value :: margin
       integer(c_int) :: status
     end function c_set_deadline

     function c_restore(handle) bind(c, name='park_restore') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_restore

     function c_checkpoint_now(handle) bind(c, name='park_checkpoint_now') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_checkpoint_now

     function c_checkpoint_wait(handle, timeout) bind(c, name='park_checkpoint_wait') result(status)
       import :: c_double, c_int, c_ptr
       type(c_ptr), value :: handle
       real(c_double), value :: timeout
       integer(c_int) :: status
     end function c_checkpoint_wait

     function c_checkpoint_count(handle) bind(c, name='park_checkpoint_count') result(count)
       import :: c_int64_t, c_ptr
       type(c_ptr), value :: handle
       integer(c_int64_t) :: count
     end function c_checkpoint_count

     function c_checkpoint_clear(handle) bind(c, name='park_checkpoint_clear') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: status
     end function c_checkpoint_clear

     function c_checkpoint_path(handle, buffer, length) bind(c, name='park_checkpoint_path') result(needed)
       import :: c_char, c_int64_t, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(out) :: buffer(*)
       integer(c_int64_t), value :: length
       integer(c_int64_t) :: needed
     end function c_checkpoint_path

     function c_checkpoint_due(handle) bind(c, name='park_checkpoint_due') result(due)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: due
     end function c_checkpoint_due

     function c_checkpoint_done(handle, ok) bind(c, name='park_checkpoint_done') result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int), value :: ok
       integer(c_int) :: status
     end function c_checkpoint_done

     function c_exit_code(handle) bind(c, name='park_exit_code') result(code)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: code
     end function c_exit_code

     function c_state(handle) bind(c, name='park_state') result(state)
       import :: c_int, c_ptr
       type(c_ptr), value :: handle
       integer(c_int) :: state
     end function c_state

     function c_last_error(handle, buffer, length) bind(c, name='park_last_error') result(needed)
       import :: c_char, c_int64_t, c_ptr
       type(c_ptr), value :: handle
       character(kind=c_char), intent(out) :: buffer(*)
       integer(c_int64_t), value :: length
       integer(c_int64_t) :: needed
     end function c_last_error
  end interface

contains

  ! ---- lifecycle ---------------------------------------------------------------------------------

  !> Makes the job and makes this thread its computation thread. With attach=.false. the run begins later, by attach().
  subroutine handler_open(self, name, attach, status)
    class(park_handler), intent(inout) :: self
    character(*), intent(in) :: name
    logical, intent(in), optional :: attach
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: made

    made = PARK_BUSY
    if (c_associated(self%handle)) then
       call conclude(self, 'open', made, status)
       return
    end if
    self%last_exit_code = 1
    self%handle = c_handler_new(c_text(name))
    made = merge(PARK_OK, PARK_INVALID_ARGUMENT, c_associated(self%handle))
    if (made == PARK_OK .and. wanted(attach)) made = c_attach(self%handle)
    call conclude(self, 'open', made, status)
  end subroutine handler_open

  !> Ends the run if one is attached, and frees the job. Closing twice does nothing. exit_code() still tells the outcome.
  subroutine handler_close(self, status)
    class(park_handler), intent(inout) :: self
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: freed

    freed = PARK_OK
    if (c_associated(self%handle)) then
       freed = c_detach(self%handle)
       self%last_exit_code = c_exit_code(self%handle)
       freed = c_handler_free(self%handle)
       if (freed == PARK_OK) self%handle = c_null_ptr
    end if
    if (present(status)) status = freed
  end subroutine handler_close

  subroutine handler_attach(self, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'attach', c_attach(self%handle), status)
  end subroutine handler_attach

  subroutine handler_detach(self, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: detached

    detached = c_detach(self%handle)
    if (present(status)) status = detached
  end subroutine handler_detach

  !> 0: complete; 85: stopped with a checkpoint, run me again; 86: aborted; 1: failed. Also after close().
  function handler_exit_code(self) result(code)
    class(park_handler), intent(in) :: self
    integer(c_int) :: code

    code = self%last_exit_code
    if (c_associated(self%handle)) code = c_exit_code(self%handle)
  end function handler_exit_code

  function handler_state(self) result(state)
    class(park_handler), intent(in) :: self
    integer(c_int) :: state

    state = c_state(self%handle)
  end function handler_state

  !> The last error's sentence; empty when there was none.
  function handler_last_error(self) result(text)
    class(park_handler), intent(in) :: self
    character(:), allocatable :: text
    character(kind=c_char) :: buffer(1024)

    text = f_text(buffer, c_last_error(self%handle, buffer, size(buffer, kind=c_int64_t)))
  end function handler_last_error

  ! ---- in the loop -------------------------------------------------------------------------------

  !> The ready point: PARK_OK go on; PARK_STOPPED or PARK_ABORTED end the loop. Not inside an I/O statement.
  !> Calls item for each input(i), output(i), on all processors at once. 0, or why it ended early, or negative: an error.
  function handler_map(self, item, input, output) result(status)
    class(park_handler), intent(in) :: self
    procedure(park_item_procedure) :: item
    real(real64), intent(in), target, contiguous :: input(:)
    real(real64), intent(inout), target, contiguous :: output(:)
    integer(c_int) :: status

    status = c_map(self%handle, c_funloc(item), c_null_ptr, c_loc(input), 8_c_int64_t, c_loc(output), 8_c_int64_t, &
         int(min(size(input), size(output)), c_int64_t))
  end function handler_map

  subroutine handler_set_workers(self, count, status)
    class(park_handler), intent(in) :: self
    integer, intent(in) :: count
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'set_workers', c_set_workers(self%handle, int(count, c_int64_t)), status)
  end subroutine handler_set_workers

  function handler_ready(self) result(status)
    class(park_handler), intent(in) :: self
    integer(c_int) :: status

    status = c_ready(self%handle)
  end function handler_ready

  subroutine progress_real64(self, done, total)
    class(park_handler), intent(in) :: self
    real(real64), intent(in) :: done, total
    integer(c_int) :: status

    status = c_progress(self%handle, done, total)
  end subroutine progress_real64

  subroutine progress_real32(self, done, total)
    class(park_handler), intent(in) :: self
    real(real32), intent(in) :: done, total

    call self%progress(real(done, real64), real(total, real64))
  end subroutine progress_real32

  subroutine progress_int32(self, done, total)
    class(park_handler), intent(in) :: self
    integer(int32), intent(in) :: done, total

    call self%progress(real(done, real64), real(total, real64))
  end subroutine progress_int32

  subroutine progress_int64(self, done, total)
    class(park_handler), intent(in) :: self
    integer(int64), intent(in) :: done, total

    call self%progress(real(done, real64), real(total, real64))
  end subroutine progress_int64

  subroutine improved_value(self, value, status)
    class(park_handler), intent(in) :: self
    real(real64), intent(in) :: value
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: reported

    reported = c_improved(self%handle, value, c_null_ptr, 0_c_int64_t)
    if (present(status)) status = reported
  end subroutine improved_value

  subroutine improved_state(self, value, state, status)
    class(park_handler), intent(in) :: self
    real(real64), intent(in) :: value
    real(real64), intent(in), target, contiguous :: state(:)
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: reported

    reported = c_improved(self%handle, value, c_loc(state), bytes_of(state))
    if (present(status)) status = reported
  end subroutine improved_state

  !> The best so far, also after an abort: PARK_OK, or PARK_UNKNOWN when there is none. As much of the state as fits.
  function handler_best(self, value, state) result(status)
    class(park_handler), intent(in) :: self
    real(real64), intent(inout) :: value
    real(real64), intent(inout), target, contiguous, optional :: state(:)
    integer(c_int) :: status

    if (present(state)) then
       status = int(min(c_best(self%handle, value, c_loc(state), bytes_of(state)), 0_c_int64_t), c_int)
    else
       status = int(min(c_best(self%handle, value, c_null_ptr, 0_c_int64_t), 0_c_int64_t), c_int)
    end if
  end function handler_best

  !> Asks for PARK_PAUSE, PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP, also from a POSIX signal handler.
  subroutine handler_signal(self, which, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(in) :: which
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: sent

    sent = c_signal(self%handle, which)
    if (present(status)) status = sent
  end subroutine handler_signal

  subroutine handler_log(self, level, text, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(in) :: level
    character(*), intent(in) :: text
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: logged

    logged = c_log(self%handle, level, c_text(text))
    if (present(status)) status = logged
  end subroutine handler_log

  !> The run will end as failed, for this reason.
  subroutine handler_fail(self, reason, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: reason
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: noted

    noted = c_fail(self%handle, c_text(reason))
    if (present(status)) status = noted
  end subroutine handler_fail

  ! ---- imaps -------------------------------------------------------------------------------------

  subroutine imap_open_array(self, job, item, input, result_size, as_completed, in_flight, go_on, status)
    class(park_imap), intent(inout) :: self
    class(park_handler), intent(in) :: job
    procedure(park_item_procedure) :: item
    real(real64), intent(in), target :: input(:)
    integer, intent(in), optional :: result_size, in_flight
    logical, intent(in), optional :: as_completed, go_on
    integer(c_int), intent(out), optional :: status
    type(c_ptr) :: options, array
    integer(c_int64_t) :: stride

    call begin_open(self, options, as_completed, in_flight, go_on, result_size, status)
    if (.not. c_associated(options)) return
    array = c_null_ptr
    stride = NUMBER_BYTES
    if (size(input) > 0) array = c_loc(input(1))
    ! A section with gaps is read where it is.
    if (size(input) > 1) stride = transfer(c_loc(input(2)), stride) - transfer(array, stride)
    self%handle = c_imap_array(job%handle, options, c_funloc(item), c_null_ptr, array, stride, &
         size(input, kind=c_int64_t), NUMBER_BYTES*self%result_size)
    call end_open(self, job, options, status)
  end subroutine imap_open_array

  subroutine imap_open_source(self, job, item, source, item_size, result_size, as_completed, in_flight, go_on, status)
    class(park_imap), intent(inout) :: self
    class(park_handler), intent(in) :: job
    procedure(park_item_procedure) :: item
    procedure(park_source_procedure) :: source
    integer, intent(in), optional :: item_size, result_size, in_flight
    logical, intent(in), optional :: as_completed, go_on
    integer(c_int), intent(out), optional :: status
    type(c_ptr) :: options

    call begin_open(self, options, as_completed, in_flight, go_on, result_size, status)
    if (.not. c_associated(options)) return
    self%handle = c_imap_new(job%handle, options, c_funloc(item), c_null_ptr, c_funloc(source), c_null_ptr, &
         NUMBER_BYTES*size_of(item_size), NUMBER_BYTES*self%result_size)
    call end_open(self, job, options, status)
  end subroutine imap_open_source

  !> Makes the options; null when it is not to be opened, and then the status says why.
  subroutine begin_open(self, options, as_completed, in_flight, go_on, result_size, status)
    class(park_imap), intent(inout) :: self
    type(c_ptr), intent(out) :: options
    logical, intent(in), optional :: as_completed, go_on
    integer, intent(in), optional :: in_flight, result_size
    integer(c_int), intent(out), optional :: status
    type(park_handler) :: nobody
    integer(c_int) :: made

    options = c_null_ptr
    if (c_associated(self%handle)) then
       call conclude(nobody, 'imap open', PARK_BUSY, status)
       return
    end if
    self%result_size = size_of(result_size)
    options = c_options_new()
    made = c_options_set(options, PARK_OPTION_AS_COMPLETED, flag_of(as_completed))
    if (made == PARK_OK) made = c_options_set(options, PARK_OPTION_GO_ON, flag_of(go_on))
    if (made == PARK_OK .and. present(in_flight)) &
         made = c_options_set(options, PARK_OPTION_IN_FLIGHT, int(in_flight, c_int64_t))
    if (made == PARK_OK) return
    ! First, for it tells the last error of all.
    call conclude(nobody, 'imap open', made, status)
    made = c_options_free(options)
    options = c_null_ptr
  end subroutine begin_open

  subroutine end_open(self, job, options, status)
    class(park_imap), intent(in) :: self
    class(park_handler), intent(in) :: job
    type(c_ptr), intent(in) :: options
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: freed

    freed = c_options_free(options)
    call conclude(job, 'imap open', merge(freed, PARK_INVALID_ARGUMENT, c_associated(self%handle)), status)
  end subroutine end_open

  !> At whatever point it is; waits for items that run. Closing twice does nothing.
  subroutine imap_close(self, status)
    class(park_imap), intent(inout) :: self
    integer(c_int), intent(out), optional :: status
    type(park_handler) :: nobody
    integer(c_int) :: freed

    freed = c_imap_free(self%handle)
    if (freed == PARK_OK) self%handle = c_null_ptr
    call conclude(nobody, 'imap close', freed, status)
  end subroutine imap_close

  function imap_next_scalar(self, result, index, code, timeout) result(status)
    class(park_imap), intent(in) :: self
    real(real64), intent(inout), target :: result
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    real(real64), intent(in), optional :: timeout
    integer(c_int) :: status

    status = next_into(self, c_loc(result), 1_c_int64_t, index, code, timeout)
  end function imap_next_scalar

  function imap_next_vector(self, result, index, code, timeout) result(status)
    class(park_imap), intent(in) :: self
    real(real64), intent(inout), target, contiguous :: result(:)
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    real(real64), intent(in), optional :: timeout
    integer(c_int) :: status

    status = next_into(self, c_loc(result), size(result, kind=c_int64_t), index, code, timeout)
  end function imap_next_vector

  function imap_rest_scalar(self, result, index, code) result(status)
    class(park_imap), intent(in) :: self
    real(real64), intent(inout), target :: result
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    integer(c_int) :: status

    status = rest_into(self, c_loc(result), 1_c_int64_t, index, code)
  end function imap_rest_scalar

  function imap_rest_vector(self, result, index, code) result(status)
    class(park_imap), intent(in) :: self
    real(real64), intent(inout), target, contiguous :: result(:)
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    integer(c_int) :: status

    status = rest_into(self, c_loc(result), size(result, kind=c_int64_t), index, code)
  end function imap_rest_vector

  function next_into(self, place, room, index, code, timeout) result(status)
    class(park_imap), intent(in) :: self
    type(c_ptr), intent(in) :: place
    integer(c_int64_t), intent(in) :: room
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    real(real64), intent(in), optional :: timeout
    integer(c_int) :: status
    integer(c_int64_t) :: its_index
    integer(c_int) :: its_code
    real(real64) :: seconds

    status = PARK_INVALID_ARGUMENT
    if (c_associated(self%handle) .and. room /= self%result_size) return
    its_index = -1
    its_code = 0
    if (present(index)) its_index = index
    if (present(code)) its_code = code
    seconds = PARK_FOREVER
    if (present(timeout)) seconds = timeout
    status = c_imap_next(self%handle, seconds, place, its_index, its_code)
    if (present(index)) index = its_index
    if (present(code)) code = its_code
  end function next_into

  function rest_into(self, place, room, index, code) result(status)
    class(park_imap), intent(in) :: self
    type(c_ptr), intent(in) :: place
    integer(c_int64_t), intent(in) :: room
    integer(int64), intent(inout), optional :: index
    integer(c_int), intent(inout), optional :: code
    integer(c_int) :: status
    integer(c_int64_t) :: its_index
    integer(c_int) :: its_code

    status = PARK_INVALID_ARGUMENT
    if (c_associated(self%handle) .and. room /= self%result_size) return
    its_index = -1
    its_code = 0
    if (present(index)) its_index = index
    if (present(code)) its_code = code
    status = c_imap_rest(self%handle, place, its_index, its_code)
    if (present(index)) index = its_index
    if (present(code)) code = its_code
  end function rest_into

  pure function size_of(wanted_size)
    integer, intent(in), optional :: wanted_size
    integer(c_int64_t) :: size_of

    size_of = 1
    if (present(wanted_size)) size_of = wanted_size
  end function size_of

  pure function flag_of(wanted_flag)
    logical, intent(in), optional :: wanted_flag
    integer(c_int64_t) :: flag_of

    flag_of = 0
    if (present(wanted_flag)) flag_of = merge(1_c_int64_t, 0_c_int64_t, wanted_flag)
  end function flag_of

  ! ---- checkpoints -------------------------------------------------------------------------------

  subroutine protect_real32(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    real(real32), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_F32, shape(variable, c_int64_t), status)
  end subroutine protect_real32

  subroutine protect_real64(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_F64, shape(variable, c_int64_t), status)
  end subroutine protect_real64

  subroutine protect_int8(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int8), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_I8, shape(variable, c_int64_t), status)
  end subroutine protect_int8

  subroutine protect_int16(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int16), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_I16, shape(variable, c_int64_t), status)
  end subroutine protect_int16

  subroutine protect_int32(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int32), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_I32, shape(variable, c_int64_t), status)
  end subroutine protect_int32

  subroutine protect_int64(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int64), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_I64, shape(variable, c_int64_t), status)
  end subroutine protect_int64

  subroutine protect_complex32(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    complex(real32), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_C64, shape(variable, c_int64_t), status)
  end subroutine protect_complex32

  subroutine protect_complex64(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    complex(real64), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_C128, shape(variable, c_int64_t), status)
  end subroutine protect_complex64

  subroutine protect_logical(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    logical, intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         merge(PARK_I64, PARK_I32, storage_size(variable) == 64), shape(variable, c_int64_t), status)
  end subroutine protect_logical

  subroutine protect_bool(self, name, variable, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    logical(c_bool), intent(inout), target :: variable(..)
    integer(c_int), intent(out), optional :: status

    call protect_any(self, name, c_loc(variable), is_contiguous(variable), &
         PARK_U8, shape(variable, c_int64_t), status)
  end subroutine protect_bool

  !> C has the slowest dimension first.
  subroutine protect_any(self, name, address, without_gaps, kind, lengths, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    type(c_ptr), intent(in) :: address
    logical, intent(in) :: without_gaps
    integer(c_int), intent(in) :: kind
    integer(c_int64_t), intent(in) :: lengths(:)
    integer(c_int), intent(out), optional :: status
    type(c_ptr) :: array

    array = c_null_ptr ! which park refuses: of a section with gaps not all would be saved
    if (without_gaps) array = address
    call conclude(self, 'protect', c_protect_shape(self%handle, c_text(name), array, kind, &
         size(lengths, kind=c_int64_t), lengths(size(lengths):1:-1)), status)
  end subroutine protect_any

  subroutine handler_unprotect(self, name, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'unprotect', c_unprotect(self%handle, c_text(name)), status)
  end subroutine handler_unprotect

  !> In older checkpoints it is called `earlier`; without that, it may be missing there.
  subroutine handler_protect_was(self, name, earlier, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    character(*), intent(in), optional :: earlier
    integer(c_int), intent(out), optional :: status
    character(kind=c_char), allocatable, target :: text(:)
    type(c_ptr) :: address

    address = c_null_ptr
    if (present(earlier)) then
       allocate (text, source=c_text(earlier))
       address = c_loc(text)
    end if
    call conclude(self, 'protect_was', c_protect_was(self%handle, c_text(name), address), status)
  end subroutine handler_protect_was

  !> Where checkpoints go. keep: how many whole ones stay, 2 unless told.
  subroutine handler_checkpoint_dir(self, directory, keep, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: directory
    integer, intent(in), optional :: keep
    integer(c_int), intent(out), optional :: status
    integer(c_int64_t) :: most

    most = 2
    if (present(keep)) most = keep
    call conclude(self, 'checkpoint_dir', c_checkpoint_dir(self%handle, c_text(directory), most), status)
  end subroutine handler_checkpoint_dir

  subroutine handler_checkpoint_mode(self, mode, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(in) :: mode
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'checkpoint_mode', c_checkpoint_mode(self%handle, mode), status)
  end subroutine handler_checkpoint_mode

  subroutine handler_checkpoint_share(self, part, status)
    class(park_handler), intent(in) :: self
    real(real64), intent(in) :: part
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'checkpoint_share', c_checkpoint_share(self%handle, part), status)
  end subroutine handler_checkpoint_share

  !> Without a time, Slurm's; without a margin, park's own.
  subroutine handler_set_deadline(self, unix_time, margin, status)
    class(park_handler), intent(in) :: self
    real(real64), intent(in), optional :: unix_time, margin
    integer(c_int), intent(out), optional :: status
    real(real64) :: time, before

    time = 0
    before = -1
    if (present(unix_time)) time = unix_time
    if (present(margin)) before = margin
    call conclude(self, 'set_deadline', c_set_deadline(self%handle, time, before), status)
  end subroutine handler_set_deadline

  !> Restores the newest whole checkpoint. found: whether there was one; when it does not fit, that is an error.
  subroutine handler_restore(self, found, status)
    class(park_handler), intent(in) :: self
    logical, intent(out), optional :: found
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: restored

    restored = c_restore(self%handle)
    if (present(found)) found = restored == PARK_OK
    call conclude(self, 'restore', restored, status)
  end subroutine handler_restore

  subroutine handler_checkpoint_now(self, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: saved

    saved = c_checkpoint_now(self%handle)
    if (present(status)) status = saved
  end subroutine handler_checkpoint_now

  subroutine handler_checkpoint_wait(self, timeout, status)
    class(park_handler), intent(in) :: self
    real(real64), intent(in) :: timeout
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: waited

    waited = c_checkpoint_wait(self%handle, timeout)
    if (present(status)) status = waited
  end subroutine handler_checkpoint_wait

  function handler_checkpoint_count(self) result(count)
    class(park_handler), intent(in) :: self
    integer(c_int64_t) :: count

    count = c_checkpoint_count(self%handle)
  end function handler_checkpoint_count

  !> Removes all checkpoints, for a job that is complete. Before close().
  subroutine handler_checkpoint_clear(self, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: cleared

    cleared = c_checkpoint_clear(self%handle)
    if (present(status)) status = cleared
  end subroutine handler_checkpoint_clear

  !> The directory for files of your own between checkpoint_due() and checkpoint_done, and after restore. Empty: there is
  !! none.
  function handler_checkpoint_path(self) result(path)
    class(park_handler), intent(in) :: self
    character(:), allocatable :: path
    character(kind=c_char) :: buffer(4096)

    path = f_text(buffer, c_checkpoint_path(self%handle, buffer, size(buffer, kind=c_int64_t)))
  end function handler_checkpoint_path

  !> To be asked after each ready(): whether the loop is to save a checkpoint now, and then call checkpoint_done.
  function handler_checkpoint_due(self) result(due)
    class(park_handler), intent(in) :: self
    logical :: due

    due = c_checkpoint_due(self%handle) == 1
  end function handler_checkpoint_due

  subroutine handler_checkpoint_done(self, ok, status)
    class(park_handler), intent(in) :: self
    logical, intent(in) :: ok
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: noted

    noted = c_checkpoint_done(self%handle, merge(1_c_int, 0_c_int, ok))
    if (present(status)) status = noted
  end subroutine handler_checkpoint_done

  ! ---- preparing a run ---------------------------------------------------------------------------

  subroutine handler_set_units(self, units, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: units
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'set_units', c_set_units(self%handle, c_text(units)), status)
  end subroutine handler_set_units

  !> Lets a POSIX signal, by its number, ask for PARK_PAUSE, PARK_RESUME, PARK_ABORT, PARK_CHECKPOINT or PARK_STOP. Or, with
  !! signo 0: PARK_CATCH_INTERACTIVE, Ctrl-C stops, twice aborts; PARK_CATCH_SLURM, SIGTERM stops, twice aborts.
  subroutine handler_catch(self, signo, action, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(in) :: signo, action
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'catch', c_catch(self%handle, signo, action), status)
  end subroutine handler_catch

  !> Lets the command park and other programs of this user watch and steer the job, by a socket at path, or where the
  !! command finds it. A job that cannot be watched is computed all the same: without a status, a failure is passed over.
  subroutine handler_listen(self, path, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in), optional :: path
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: listens

    if (present(path)) then
       listens = c_listen(self%handle, c_text(path))
    else
       listens = c_listen(self%handle)
    end if
    if (present(status)) status = listens
  end subroutine handler_listen

  subroutine handler_unlisten(self, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(out), optional :: status
    integer(c_int) :: ended

    ended = c_unlisten(self%handle)
    if (present(status)) status = ended
  end subroutine handler_unlisten

  !> which: PARK_PROGRESS_DELTA (1 s unless set), PARK_CHECKPOINT_DELTA (3600 s), PARK_IMPROVED_DELTA (0 s).
  subroutine handler_set_delta(self, which, seconds, status)
    class(park_handler), intent(in) :: self
    integer(c_int), intent(in) :: which
    real(real64), intent(in) :: seconds
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'set_delta', c_set_delta(self%handle, which, seconds), status)
  end subroutine handler_set_delta

  subroutine handler_describe(self, name, units, description, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name, units, description
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'describe', c_describe(self%handle, c_text(name), c_text(units), c_text(description)), status)
  end subroutine handler_describe

  !> Calls the procedure with the progress, from inside ready(), about every progress delta.
  subroutine handler_on_progress(self, callback, status)
    class(park_handler), intent(in) :: self
    procedure(park_progress_procedure) :: callback
    integer(c_int), intent(out), optional :: status
    integer(c_int64_t) :: id

    id = c_on_progress(self%handle, c_funloc(call_progress), transfer(c_funloc(callback), c_null_ptr), c_null_funptr)
    call conclude(self, 'on_progress', int(min(id, 0_c_int64_t), c_int), status)
  end subroutine handler_on_progress

  !> What C calls. The user's procedure comes as user data: procedure pointers in types are not known to every compiler.
  function call_progress(job, done, total, seconds_left, user) bind(c, name='park_f90_call_progress') result(stop)
    type(c_ptr), value :: job, user
    real(c_double), value :: done, total, seconds_left
    integer(c_int) :: stop
    procedure(park_progress_procedure), pointer :: callback

    stop = merge(0_c_int, 1_c_int, c_associated(job))
    call c_f_procpointer(transfer(user, c_null_funptr), callback)
    call callback(done, total, seconds_left)
  end function call_progress

  subroutine expose_f64(self, name, variable, min, max, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: variable
    real(real64), intent(in), optional :: min, max
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'expose', c_expose_f64(self%handle, c_text(name), c_loc(variable), least_of(min), most_of(max)), status)
  end subroutine expose_f64

  subroutine expose_i64(self, name, variable, min, max, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int64), intent(inout), target :: variable
    integer(int64), intent(in), optional :: min, max
    integer(c_int), intent(out), optional :: status

    call conclude(self, 'expose', &
         c_expose_i64(self%handle, c_text(name), c_loc(variable), least_integer_of(min), most_integer_of(max)), status)
  end subroutine expose_i64

  subroutine expose_f64s(self, name, variable, min, max, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: variable(:)
    real(real64), intent(in), optional :: min, max
    integer(c_int), intent(out), optional :: status
    type(c_ptr) :: array

    array = c_null_ptr ! which park refuses: a section with gaps would be copied, and the copy die with this call
    if (is_contiguous(variable) .and. size(variable) > 0) array = c_loc(variable(1))
    call conclude(self, 'expose', c_expose_f64s(self%handle, c_text(name), array, size(variable, kind=c_int64_t), &
         least_of(min), most_of(max)), status)
  end subroutine expose_f64s

  subroutine expose_i64s(self, name, variable, min, max, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: name
    integer(int64), intent(inout), target :: variable(:)
    integer(int64), intent(in), optional :: min, max
    integer(c_int), intent(out), optional :: status
    type(c_ptr) :: array

    array = c_null_ptr ! which park refuses: a section with gaps would be copied, and the copy die with this call
    if (is_contiguous(variable) .and. size(variable) > 0) array = c_loc(variable(1))
    call conclude(self, 'expose', c_expose_i64s(self%handle, c_text(name), array, size(variable, kind=c_int64_t), &
         least_integer_of(min), most_integer_of(max)), status)
  end subroutine expose_i64s

  ! ---- between Fortran and C ---------------------------------------------------------------------

  !> Hands the status to whoever asked for it; an error that nobody asked for ends the program with its reason.
  subroutine conclude(self, what, outcome, status)
    class(park_handler), intent(in) :: self
    character(*), intent(in) :: what
    integer(c_int), intent(in) :: outcome
    integer(c_int), intent(out), optional :: status

    if (present(status)) then
       status = outcome
    else if (outcome < 0) then
       write (error_unit, '(5a,i0,a)') 'park ', what, ': ', self%last_error(), ' (status ', outcome, ')'
       error stop 1
    end if
  end subroutine conclude

  pure function c_text(text) result(terminated)
    character(*), intent(in) :: text
    character(kind=c_char) :: terminated(len_trim(text) + 1)
    integer :: i

    do i = 1, len_trim(text)
       terminated(i) = text(i:i)
    end do
    terminated(size(terminated)) = c_null_char
  end function c_text

  !> A text that C has put into the buffer, where it needs so many bytes.
  pure function f_text(buffer, needed) result(text)
    character(kind=c_char), intent(in) :: buffer(:)
    integer(c_int64_t), intent(in) :: needed
    character(:), allocatable :: text
    integer :: i, length

    length = int(max(0_c_int64_t, min(needed, size(buffer) - 1_c_int64_t)))
    allocate (character(length) :: text)
    do i = 1, length
       text(i:i) = buffer(i)
    end do
  end function f_text

  pure function bytes_of(state) result(bytes)
    real(real64), intent(in) :: state(:)
    integer(c_int64_t) :: bytes

    bytes = size(state, kind=c_int64_t) * (storage_size(state) / 8)
  end function bytes_of

  pure function wanted(flag)
    logical, intent(in), optional :: flag
    logical :: wanted

    wanted = .true.
    if (present(flag)) wanted = flag
  end function wanted

  pure function least_of(limit) result(least)
    real(real64), intent(in), optional :: limit
    real(real64) :: least

    least = ieee_value(least, ieee_negative_inf)
    if (present(limit)) least = limit
  end function least_of

  pure function most_of(limit) result(most)
    real(real64), intent(in), optional :: limit
    real(real64) :: most

    most = ieee_value(most, ieee_positive_inf)
    if (present(limit)) most = limit
  end function most_of

  pure function least_integer_of(limit) result(least)
    integer(int64), intent(in), optional :: limit
    integer(int64) :: least

    least = -huge(least)
    least = least - 1 ! the lowest one is outside what Fortran lets a constant be
    if (present(limit)) least = limit
  end function least_integer_of

  pure function most_integer_of(limit) result(most)
    integer(int64), intent(in), optional :: limit
    integer(int64) :: most

    most = huge(most)
    if (present(limit)) most = limit
  end function most_integer_of
end module park
