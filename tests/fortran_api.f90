! park from Fortran: what include/park.f90 promises.
!   gfortran -std=f2018 -Wall -Wextra -g -Jbuild include/park.f90 tests/fortran_api.f90 -Ltarget/release -lpark -Wl,-rpath,target/release
module seen
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  real(real64) :: done = -1, total = -1
  integer :: calls = 0
contains
  subroutine note(now_done, now_total, seconds_left)
    real(real64), intent(in) :: now_done, now_total, seconds_left
    done = now_done
    total = now_total
    calls = calls + 1
    if (.not. seconds_left < huge(seconds_left)) error stop 'seconds_left is no number'
  end subroutine note
end module seen

program fortran_api
  use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
  use, intrinsic :: iso_c_binding, only: c_int
  use park
  use seen
  implicit none
  integer :: failed = 0

  call test_a_loop_from_open_to_close
  call test_every_kind_of_number_is_progress
  call test_the_best_is_read_back
  call test_variables_are_exposed_once
  call test_a_stop_waits_for_the_loops_own_checkpoint
  call test_an_abort_and_a_failure_have_their_exit_codes
  call test_a_posix_signal_stops_the_loop
  call test_a_job_listens_where_it_is_told
  call test_what_is_wrong_is_told
  if (failed > 0) error stop 1

contains

  subroutine check(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (.not. condition) then
       failed = failed + 1
       print '(2a)', 'not ok ', what
    end if
  end subroutine check

  subroutine finish(name, before)
    character(*), intent(in) :: name
    integer, intent(in) :: before
    if (failed == before) print '(2a)', 'ok ', name
  end subroutine finish

  subroutine test_a_loop_from_open_to_close
    type(park_handler) :: job
    integer :: step, before
    before = failed
    call job%open('fortran')
    call job%set_units('steps')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call check(job%state() == PARK_STATE_RUNNING, 'open attaches')
    do step = 1, 100
       call job%progress(step, 100)
       if (job%ready() /= PARK_OK) exit
       call check(calls == step .and. nint(done) == step .and. nint(total) == 100, 'the callback sees the progress')
    end do
    call check(step == 101, 'nobody ended the loop')
    call job%log(PARK_LOG_INFO, 'Grüße')
    call job%close()
    call check(job%exit_code() == 0, 'exit code after close')
    call job%close()
    call finish('a_loop_from_open_to_close', before)
  end subroutine test_a_loop_from_open_to_close

  subroutine test_a_job_listens_where_it_is_told
    character(*), parameter :: path = 'build/tests/fortran_api.sock'
    type(park_handler) :: job
    logical :: there
    integer :: before
    integer(c_int) :: status
    before = failed
    call job%open('listener')
    call job%listen(path, status)
    inquire (file=path, exist=there)
    call check(status == PARK_OK .and. there, 'listen makes the socket')
    call job%listen(path, status)
    call check(status == PARK_EXISTS, 'it listens already')
    call job%unlisten(status)
    inquire (file=path, exist=there)
    call check(status == PARK_OK .and. .not. there, 'unlisten takes it away')
    call job%listen('no/such/directory/socket')
    call job%listen('no/such/directory/socket', status)
    call check(status == PARK_SYSTEM, 'a failure has a status, and ends nothing')
    call job%close()
    call finish('a_job_listens_where_it_is_told', before)
  end subroutine test_a_job_listens_where_it_is_told

  subroutine test_every_kind_of_number_is_progress
    type(park_handler) :: job
    integer :: before
    integer(c_int) :: status
    before = failed
    call job%open('kinds')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call job%progress(1_int32, 9_int32)
    status = job%ready()
    call check(nint(done) == 1 .and. nint(total) == 9, 'int32')
    call job%progress(2_int64, 9_int64)
    status = job%ready()
    call check(nint(done) == 2, 'int64')
    call job%progress(3.0_real32, 9.0_real32)
    status = job%ready()
    call check(nint(done) == 3, 'real32')
    call job%progress(4.0_real64, 0.0_real64)
    status = job%ready()
    call check(nint(done) == 4 .and. total <= 0, 'real64')
    call check(status == PARK_OK, 'ready')
    call job%close()
    call finish('every_kind_of_number_is_progress', before)
  end subroutine test_every_kind_of_number_is_progress

  subroutine test_the_best_is_read_back
    type(park_handler) :: job
    real(real64) :: value, state(3), found(3)
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('best')
    value = 7
    call check(job%best(value) == PARK_UNKNOWN .and. nint(value) == 7, 'no best yet')
    state = [1d0, 2d0, 3d0]
    call job%improved(0.5d0, state, status)
    call check(status == PARK_OK, 'improved')
    state = 0
    call check(job%best(value, found) == PARK_OK, 'best')
    call check(abs(value - 0.5d0) <= 0 .and. all(nint(found) == [1, 2, 3]), 'the best was copied')
    call job%signal(PARK_ABORT)
    call job%improved(0.25d0, [4d0, 5d0, 6d0])
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call job%detach()
    call check(job%best(value, found) == PARK_OK .and. abs(value - 0.25d0) <= 0 .and. nint(found(3)) == 6, 'after an abort')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'exit code')
    call finish('the_best_is_read_back', before)
  end subroutine test_the_best_is_read_back

  subroutine test_variables_are_exposed_once
    type(park_handler) :: job
    real(real64), target :: alpha, field(4)
    integer(int64), target :: count, counts(2)
    integer(c_int) :: status
    integer :: before
    before = failed
    alpha = 0.1d0
    field = 0
    count = 1
    counts = 2
    call job%open('variables')
    call job%expose('alpha', alpha, min=0d0, max=0.5d0, status=status)
    call check(status == PARK_OK, 'expose a real')
    call job%expose('field', field, status=status)
    call check(status == PARK_OK, 'expose reals')
    call job%expose('count', count, min=0_int64, status=status)
    call check(status == PARK_OK, 'expose an integer')
    call job%expose('counts', counts, max=9_int64, status=status)
    call check(status == PARK_OK, 'expose integers')
    call job%expose('alpha', alpha, status=status)
    call check(status == PARK_EXISTS, 'exposed once')
    call check(index(job%last_error(), 'alpha') > 0, 'the error names it')
    call job%expose('wrong', alpha, min=1d0, max=0d0, status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'limits that are none')
    call job%describe('alpha', 'm', 'a length', status)
    call check(status == PARK_OK, 'describe')
    call job%describe('beta', 'm', 'a length', status)
    call check(status == PARK_UNKNOWN, 'describe what is not there')
    call job%close()
    call finish('variables_are_exposed_once', before)
  end subroutine test_variables_are_exposed_once

  subroutine test_a_stop_waits_for_the_loops_own_checkpoint
    type(park_handler) :: job
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('stop')
    call check(job%ready() == PARK_OK, 'ready')
    call check(.not. job%checkpoint_due(), 'not due')
    call job%signal(PARK_STOP, status)
    call check(status == PARK_OK, 'stop is asked for')
    call check(job%ready() == PARK_OK, 'it may still save')
    call check(job%checkpoint_due(), 'due')
    call job%checkpoint_done(.true.)
    call check(job%ready() == PARK_STOPPED, 'stopped')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_CHECKPOINTED, 'exit code 85')
    call finish('a_stop_waits_for_the_loops_own_checkpoint', before)
  end subroutine test_a_stop_waits_for_the_loops_own_checkpoint

  subroutine test_an_abort_and_a_failure_have_their_exit_codes
    type(park_handler) :: job
    integer :: before
    before = failed
    call job%open('exit codes')
    call job%fail('out of tea')
    call job%close()
    call check(job%exit_code() == 1, 'failed')
    call job%open('again')
    call job%signal(PARK_PAUSE)
    call job%signal(PARK_ABORT)
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call check(job%ready() == PARK_ABORTED, 'and it stays')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'aborted')
    call finish('an_abort_and_a_failure_have_their_exit_codes', before)
  end subroutine test_an_abort_and_a_failure_have_their_exit_codes

  subroutine test_a_posix_signal_stops_the_loop
    integer(c_int), parameter :: SIGTERM = 15, SIGKILL = 9
    interface
       function c_raise(signo) bind(c, name='raise') result(failed)
         import :: c_int
         integer(c_int), value :: signo
         integer(c_int) :: failed
       end function c_raise
    end interface
    type(park_handler) :: job
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('caught')
    call job%catch(0, PARK_CATCH_SLURM)
    call check(job%ready() == PARK_OK, 'nothing has come yet')
    call check(c_raise(SIGTERM) == 0, 'SIGTERM is caught')
    call check(job%ready() == PARK_STOPPED, 'SIGTERM stops the loop')
    call job%catch(SIGKILL, PARK_STOP, status)
    call check(status == PARK_INVALID_ARGUMENT, 'SIGKILL cannot be caught')
    call check(index(job%last_error(), 'SIGKILL') > 0, 'and the sentence says so')
    call job%catch(SIGTERM, PARK_CATCH_NONE)
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'there was no way to save')
    call finish('a_posix_signal_stops_the_loop', before)
  end subroutine test_a_posix_signal_stops_the_loop

  subroutine test_what_is_wrong_is_told
    type(park_handler) :: job, never_opened
    integer(c_int) :: status
    integer :: before
    before = failed
    call check(never_opened%ready() == PARK_INVALID_HANDLE, 'ready of nothing')
    call never_opened%progress(1, 2)
    call check(never_opened%exit_code() == 1, 'exit code of nothing')
    call never_opened%close()
    call job%open('', status=status)
    call check(status < 0, 'a name that is none')
    call check(index(job%last_error(), 'name') > 0, 'and its sentence')
    call job%open('open', attach=.false., status=status)
    call check(status == PARK_OK .and. job%state() == PARK_STATE_IDLE, 'not attached')
    call check(job%ready() == PARK_NOT_RUNNING, 'not running')
    call job%set_delta(PARK_PROGRESS_DELTA, -1d0, status)
    call check(status == PARK_INVALID_ARGUMENT, 'a delta that is none')
    call job%attach(status)
    call check(status == PARK_OK, 'attach')
    call job%attach(status)
    call check(status == PARK_BUSY, 'attached twice')
    call job%close(status)
    call check(status == PARK_OK, 'close')
    call finish('what_is_wrong_is_told', before)
  end subroutine test_what_is_wrong_is_told

end program fortran_api
